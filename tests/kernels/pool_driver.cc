// Drives the worker threads without Python: many tasks, tasks within tasks, several callers, a forked child.
// Prints "ok"; test_native_source.py builds it with a sanitizer of data races.

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include "threads.h"

namespace {

void Check(bool good, const char* what) {
  if (good) return;
  std::fprintf(stderr, "%s\n", what);
  std::_Exit(1);
}

// Each part writes its own place without a lock: a part that is done twice at once, or read too early, is a race.
void Once(int parts) {
  std::vector<int> done(parts, 0);
  auto task = [&](int part) { ++done[part]; };
  jaxsyn::InParts(parts, task);
  for (const int count : done) Check(count == 1, "a part was not done exactly once");
}

void Nested() {
  std::vector<int> done(16, 0);
  auto outer = [&](int part) {
    auto inner = [&](int other) { ++done[4 * part + other]; };
    jaxsyn::InParts(4, inner);
  };
  jaxsyn::InParts(4, outer);
  for (const int count : done) Check(count == 1, "a part within a part was not done exactly once");
}

void Many(int rounds) {
  for (int i = 0; i < rounds; ++i) {
    Once(1 + i % 9);
    if (i % 50 == 0) Nested();
    if (i % 200 == 0) usleep(300);  // long enough for workers to fall asleep
  }
}

void Child() {
  const pid_t child = fork();
  Check(child >= 0, "no fork");
  if (child == 0) {
    Many(200);
    std::_Exit(0);
  }
  int status = 0;
  Check(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child failed");
}

}  // namespace

int main(int argc, char**) {
  Many(2000);
  std::vector<std::thread> callers;
  for (int i = 0; i < 4; ++i) callers.emplace_back([] { Many(500); });
  for (auto& caller : callers) caller.join();
  if (argc == 1) Child();  // a sanitizer of races has threads of its own and forks badly
  std::puts("ok");
  return 0;
}
