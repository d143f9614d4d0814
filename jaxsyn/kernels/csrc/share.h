// Work shared with the thread pool of the computation that a call belongs to.

#ifndef JAXSYN_SHARE_H_
#define JAXSYN_SHARE_H_

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>

#include "xla/ffi/api/ffi.h"

#if defined(__x86_64__) && defined(__GNUC__)
#define JAXSYN_SHARE_X86 1
#include <immintrin.h>
#endif

namespace jaxsyn {

// Calls work(0) ... work(tasks - 1), some of them on threads of the pool; returns when all are done.
template <typename Work>
void Share(xla::ffi::ThreadPool& pool, int64_t tasks, const Work& work) {
  struct Board {
    std::atomic<int64_t> next{0}, done{0};
  };
  const auto board = std::make_shared<Board>();
#if JAXSYN_SHARE_X86
  const unsigned int control = _mm_getcsr();  // denormals count as zero on all threads alike
#endif
  const auto take = [board, tasks, &work] {  // `work` is not touched once no task is left
    for (int64_t task; (task = board->next.fetch_add(1)) < tasks; board->done.fetch_add(1)) work(task);
  };
  const int64_t helpers = std::min<int64_t>(pool.num_threads(), tasks) - 1;
  for (int64_t h = 0; h < helpers; ++h) {
    pool.Schedule([=] {
#if JAXSYN_SHARE_X86
      const unsigned int before = _mm_getcsr();
      _mm_setcsr(control);
      take();
      _mm_setcsr(before);
#else
      take();
#endif
    });
  }
  take();
  while (board->done.load() < tasks) std::this_thread::yield();
}

}  // namespace jaxsyn

#endif  // JAXSYN_SHARE_H_
