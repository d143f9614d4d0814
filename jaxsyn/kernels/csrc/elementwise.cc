// Elementwise programs: the equations of a model as machine code, run for all neurons in one pass over memory.
//
// The code is made in Python (_machine.py) for one instruction set, x86-64 with AVX2 and FMA, and travels with the
// compiled XLA program. Here it gets executable pages, once for each distinct code in a process, and its arguments:
// a table of array addresses, a table of uniform values (each eight times, so that an instruction can read it as a
// vector), the number of blocks of neurons, and the index of the first. The last, partial block runs on copies.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <unordered_map>

#include "xla/ffi/api/ffi.h"

#if defined(_MSC_VER)
#define JAXSYN_EXPORT __declspec(dllexport)
#else
#define JAXSYN_EXPORT __attribute__((visibility("default")))
#endif

#if defined(__x86_64__) && defined(__unix__)
#define JAXSYN_MACHINE 1
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace ffi = xla::ffi;

namespace {

ffi::Error Invalid(const char* message) { return ffi::Error::InvalidArgument(message); }

const char* const kBadShapes = "jaxsyn: the shapes of an elementwise program disagree";

using Dims = ffi::Span<const int64_t>;
using Code = ffi::Span<const int32_t>;
using Function = void (*)(void* const* streams, const int32_t* uniforms, int64_t blocks, int64_t unused, int32_t index);

constexpr int kLanes = 8;   // of a vector
constexpr int kBlock = 32;  // neurons in a turn of the loop: BLOCK in _machine.py
constexpr int kMaxStreams = 128;
constexpr int kMaxUniforms = 1024;
constexpr int kMaxBatchRank = 8;

#if defined(JAXSYN_MACHINE)
// Pages that hold a copy of the code, readable and executable but not writable; never freed.
Function MakeExecutable(const Code& code) {
  const size_t bytes = code.size() * sizeof(int32_t);
  void* pages = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) return nullptr;
  std::memcpy(pages, code.begin(), bytes);
  if (mprotect(pages, bytes, PROT_READ | PROT_EXEC) != 0) return nullptr;
  return reinterpret_cast<Function>(pages);
}

// The function of a code, by the digest that Python computed from it.
Function Find(int64_t digest, const Code& code) {
  thread_local int64_t last_digest = 0;
  thread_local Function last = nullptr;
  if (last != nullptr && last_digest == digest) return last;
  static std::mutex mutex;
  static std::unordered_map<int64_t, Function> known;
  const std::lock_guard<std::mutex> lock(mutex);
  Function& function = known[digest];
  if (function == nullptr) function = MakeExecutable(code);
  last_digest = digest;
  return last = function;
}
#endif

// Where an operand or a result stands in memory, and how it moves from one batch lane to the next.
struct Stream {
  uint8_t* data;
  int64_t width;  // bytes of an element
  int64_t strides[kMaxBatchRank];

  // Returns false where the batch axes disagree with `sizes`.
  bool Init(const ffi::AnyBuffer& buffer, int rank, const Dims& sizes) {
    const Dims dims = buffer.dimensions();
    if (static_cast<int>(dims.size()) != rank + 1) return false;
    data = static_cast<uint8_t*>(buffer.untyped_data());
    width = buffer.element_type() == ffi::PRED ? 1 : sizeof(int32_t);
    int64_t step = dims[rank] * width;
    for (int d = rank - 1; d >= 0; --d) {
      if (dims[d] != 1 && dims[d] != sizes[d]) return false;
      strides[d] = dims[d] == 1 ? 0 : step;
      step *= dims[d];
    }
    return true;
  }
};

// All neurons of one batch lane.
void Run(Function function, const Stream* streams, int n_operands, int n_streams, const int32_t* uniforms, int64_t n) {
  void* table[kMaxStreams];
  for (int k = 0; k < n_streams; ++k) table[k] = streams[k].data;
  const int64_t blocks = n / kBlock, done = blocks * kBlock, left = n - done;
  if (blocks > 0) function(table, uniforms, blocks, 0, 0);
  if (left == 0) return;
  alignas(32) int32_t block[kMaxStreams][kBlock];
  for (int k = 0; k < n_streams; ++k) {
    table[k] = block[k];
    if (k < n_operands) std::memcpy(block[k], streams[k].data + done * streams[k].width, left * streams[k].width);
  }
  function(table, uniforms, 1, 0, static_cast<int32_t>(done));
  for (int k = n_operands; k < n_streams; ++k) {
    std::memcpy(streams[k].data + done * streams[k].width, block[k], left * streams[k].width);
  }
}

ffi::Error Elementwise(ffi::AnyBuffer uniforms, ffi::RemainingArgs operands, ffi::RemainingRets results, Code code,
                       int64_t digest) {
  const int n_operands = static_cast<int>(operands.size()), n_results = static_cast<int>(results.size());
  const int n_streams = n_operands + n_results;
  if (n_results == 0 || n_streams > kMaxStreams) return Invalid("jaxsyn: an elementwise program has too many arrays");
  auto first = results.get<ffi::AnyBuffer>(0);
  const Dims out = (*first)->dimensions();
  const int64_t total = static_cast<int64_t>((*first)->element_count());
  const int rank = static_cast<int>(out.size()) - 1;
  if (rank < 0 || rank > kMaxBatchRank) return Invalid(kBadShapes);
  const int64_t n = out[rank];
  Stream streams[kMaxStreams], shared{};
  bool good = shared.Init(uniforms, rank, out);
  for (int k = 0; k < n_operands; ++k) {
    const auto operand = operands.get<ffi::AnyBuffer>(k);
    good = good && streams[k].Init(*operand, rank, out) && operand->dimensions()[rank] == n;
  }
  for (int k = 0; k < n_results; ++k) {
    auto result = results.get<ffi::AnyBuffer>(k);
    good = good && streams[n_operands + k].Init(**result, rank, out) &&
           static_cast<int64_t>((*result)->element_count()) == total;
  }
  const int64_t n_uniforms = uniforms.dimensions()[uniforms.dimensions().size() - 1];
  if (!good || n_uniforms > kMaxUniforms) return Invalid(kBadShapes);

#if defined(JAXSYN_MACHINE)
  const Function function = Find(digest, code);
  if (function == nullptr) return ffi::Error::Internal("jaxsyn: this system gives no executable memory");
  alignas(32) int32_t vectors[kMaxUniforms * kLanes];
  int64_t index[kMaxBatchRank] = {};
  const uint8_t* present = nullptr;
  for (int64_t left = n == 0 ? 0 : total / n; left > 0; --left) {
    if (present != shared.data) {
      present = shared.data;
      const int32_t* values = reinterpret_cast<const int32_t*>(present);
      for (int64_t u = 0; u < n_uniforms; ++u) std::fill_n(vectors + u * kLanes, kLanes, values[u]);
    }
    Run(function, streams, n_operands, n_streams, vectors, n);
    for (int d = rank - 1; d >= 0; --d) {  // the next lane of the batch
      const bool carry = ++index[d] == out[d];
      const int64_t steps = carry ? 1 - out[d] : 1;
      shared.data += steps * shared.strides[d];
      for (int k = 0; k < n_streams; ++k) streams[k].data += steps * streams[k].strides[d];
      if (!carry) break;
      index[d] = 0;
    }
  }
  return ffi::Error::Success();
#else
  (void)code, (void)digest;
  return Invalid("jaxsyn: elementwise programs are for x86-64");
#endif
}

}  // namespace

extern "C" {
// Whether this processor and system run elementwise programs.
JAXSYN_EXPORT int32_t jaxsyn_elementwise_supported() {
#if defined(JAXSYN_MACHINE)
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return 0;
  const int32_t only_return[] = {0xc3};
  return MakeExecutable(Code(only_return, 1)) != nullptr;
#else
  return 0;
#endif
}
JAXSYN_EXPORT XLA_FFI_Error* jaxsyn_elementwise(XLA_FFI_CallFrame* frame);
}

XLA_FFI_DEFINE_HANDLER_SYMBOL(jaxsyn_elementwise, Elementwise,
                              ffi::Ffi::Bind()
                                  .Arg<ffi::AnyBuffer>()
                                  .RemainingArgs()
                                  .RemainingRets()
                                  .Attr<Code>("code")
                                  .Attr<int64_t>("digest"));
