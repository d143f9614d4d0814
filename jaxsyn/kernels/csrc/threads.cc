#include "threads.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <new>
#include <thread>

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif
#if defined(__linux__)
#include <sched.h>
#endif
#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#endif

namespace jaxsyn {
namespace {

constexpr int kMostWorkers = 255;
using Clock = std::chrono::steady_clock;
constexpr Clock::duration kSpin = std::chrono::microseconds(100);  // longer than the gaps between the kernels of a step
constexpr int kRest = 20;                                          // times a stall
constexpr int kLooks = 32;                              // at the work between two looks at the clock

// The control word of floating-point arithmetic: XLA switches denormals off around its kernels.
#if defined(__x86_64__) || defined(_M_X64)
using FloatMode = unsigned int;
inline FloatMode GetFloatMode() { return _mm_getcsr(); }
inline void SetFloatMode(FloatMode mode) { _mm_setcsr(mode); }
inline void Pause() { _mm_pause(); }
#elif defined(__aarch64__) && !defined(_MSC_VER)
using FloatMode = uint64_t;
inline FloatMode GetFloatMode() {
  FloatMode mode;
  asm volatile("mrs %0, fpcr" : "=r"(mode));
  return mode;
}
inline void SetFloatMode(FloatMode mode) { asm volatile("msr fpcr, %0" : : "r"(mode)); }
inline void Pause() { asm volatile("yield"); }
#else
using FloatMode = int;
inline FloatMode GetFloatMode() { return 0; }
inline void SetFloatMode(FloatMode) {}
inline void Pause() {}
#endif

// Where a thread may run. One that is woken may be put beside the one that wakes it, and left there, however idle the
// other cores; a worker that finds itself on the core of its caller keeps off that core from then on.
#if defined(__linux__)
inline int CoreOfThisThread() { return sched_getcpu(); }

class Cores {
 public:
  Cores() { known_ = sched_getaffinity(0, sizeof(allowed_), &allowed_) == 0; }

  void KeepOff(int core) {
    if (!known_ || core < 0 || core >= CPU_SETSIZE || core != CoreOfThisThread()) return;
    cpu_set_t others = allowed_;
    CPU_CLR(core, &others);
    if (CPU_COUNT(&others) > 0) sched_setaffinity(0, sizeof(others), &others);
  }

 private:
  cpu_set_t allowed_;
  bool known_;
};
#else
inline int CoreOfThisThread() { return -1; }

struct Cores {
  void KeepOff(int) {}
};
#endif

// Looks again and again for a short time; returns whether `ready` said true.
template <typename Ready>
bool Spin(const Ready& ready) {
  const auto end = Clock::now() + kSpin;
  do {
    for (int i = 0; i < kLooks; ++i) {
      if (ready()) return true;
      Pause();
    }
  } while (Clock::now() < end);
  return ready();
}

// The parts of the present task that nobody has begun are [low, high). The caller takes them from below, workers from
// above, so that in a run of like tasks each thread meets the same data. Where a worker keeps its caller waiting for
// longer than the caller took itself, its core has something else to do: the caller then works alone for a while.
class Pool {
 public:
  // Whether the caller should.
  bool Rests() const { return Clock::now() < rest_until_; }

  void Run(int parts, Task task, void* context) {
    const auto begin = Clock::now();
    Grow(parts - 1);
    task_ = task;
    context_ = context;
    mode_ = GetFloatMode();
    core_.store(CoreOfThisThread(), std::memory_order_relaxed);
    done_.store(0, std::memory_order_relaxed);
    open_.store(static_cast<uint64_t>(parts) << 32);
    Wake(&sleeping_, work_);
    for (int part; (part = Take(true)) >= 0;) {
      task(context, part);
      done_.fetch_add(1);
    }
    const auto finished = [&] { return done_.load() == parts; };
    if (finished()) return;
    const auto own = Clock::now();
    while (!Spin(finished)) Sleep(&waiting_, finished_, finished);
    const auto stall = Clock::now() - own;
    if (stall > std::max(kSpin, own - begin)) rest_until_ = own + kRest * stall;
  }

 private:
  // As many workers as are asked for, or as the system gives.
  void Grow(int workers) {
    for (; n_workers_ < workers && n_workers_ < kMostWorkers; ++n_workers_) {
      try {
        std::thread([this] { Work(); }).detach();
      } catch (const std::exception&) {
        return;
      }
    }
  }

  // The number of a part that is now this thread's, or -1. Nothing of the task may change before that part is done.
  int Take(bool from_below) {
    uint64_t open = open_.load();
    for (;;) {
      const uint32_t low = static_cast<uint32_t>(open), high = static_cast<uint32_t>(open >> 32);
      if (low >= high) return -1;
      const uint64_t rest = from_below ? open + 1 : open - (UINT64_C(1) << 32);
      if (open_.compare_exchange_weak(open, rest)) return static_cast<int>(from_below ? low : high - 1);
    }
  }

  bool HasWork() const {
    const uint64_t open = open_.load();
    return static_cast<uint32_t>(open) < static_cast<uint32_t>(open >> 32);
  }

  // Whoever sleeps says so before a last look at what it waits for; that is written before this is called.
  void Wake(std::atomic<int>* sleepers, std::condition_variable& condition) {
    if (sleepers->load() == 0 || sleepers->exchange(0) == 0) return;
    { const std::lock_guard<std::mutex> lock(mutex_); }
    condition.notify_all();
  }

  // Until woken, for whatever reason.
  template <typename Ready>
  void Sleep(std::atomic<int>* sleepers, std::condition_variable& condition, const Ready& ready) {
    std::unique_lock<std::mutex> lock(mutex_);
    sleepers->fetch_add(1);
    if (!ready()) condition.wait(lock);
  }

  void Work() {
    const auto has_work = [this] { return HasWork(); };
    Cores cores;
    for (;;) {
      cores.KeepOff(core_.load(std::memory_order_relaxed));
      for (int part; (part = Take(false)) >= 0;) {
        SetFloatMode(mode_);
        task_(context_, part);
        done_.fetch_add(1);
        Wake(&waiting_, finished_);
      }
      if (!Spin(has_work)) Sleep(&sleeping_, work_, has_work);
    }
  }

  alignas(64) std::atomic<uint64_t> open_{0};
  alignas(64) std::atomic<int> done_{0};
  alignas(64) Task task_ = nullptr;
  void* context_ = nullptr;
  FloatMode mode_ = 0;
  int n_workers_ = 0;
  Clock::time_point rest_until_{};
  std::atomic<int> core_{-1};  // of the caller
  std::atomic<int> sleeping_{0}, waiting_{0};
  std::mutex mutex_;
  std::condition_variable work_, finished_;
};

// Made when first used and never freed: workers may still look at it while the process ends.
Pool* pool = nullptr;
std::atomic<bool> busy{false};  // whether somebody has the pool

// A forked child has none of its parent's workers; it makes its own.
void Forget() {
  pool = nullptr;
  busy.store(false);
}

Pool* TheOnePool() {
  if (pool != nullptr) return pool;
#if defined(__unix__) || defined(__APPLE__)
  static bool registered = false;  // guarded by `busy`, as all here
  if (!registered) registered = pthread_atfork(nullptr, nullptr, Forget) == 0;
#endif
  return pool = new (std::nothrow) Pool;
}

}  // namespace

void RunParts(int parts, Task task, void* context) {
  if (parts > 1 && !busy.exchange(true)) {
    Pool* const the_one = TheOnePool();
    const bool shared = the_one != nullptr && !the_one->Rests();
    if (shared) the_one->Run(parts, task, context);
    busy.store(false);
    if (shared) return;
  }
  for (int part = 0; part < parts; ++part) task(context, part);
}

}  // namespace jaxsyn
