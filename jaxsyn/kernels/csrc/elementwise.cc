// Elementwise programs: the equations of a model as machine code, run for all neurons in one pass over memory.
//
// The code is made in Python (_machine.py) for one instruction set, x86-64 with AVX2 and FMA or with AVX-512, and
// travels with the compiled XLA program. Here it gets executable pages, once for each distinct code in a process, and
// its arguments: a table of array addresses, a table of uniform values (each eight times, so that an instruction can
// read it as a vector) with the numbers 0 .. 15 in front of it, the number of blocks of neurons, and the index of the
// first. The last, partial block runs on copies.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "products.h"
#include "share.h"
#include "threads.h"
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

constexpr int kLanes = 8;     // copies of a uniform
constexpr int kCounted = 16;  // numbers in front of the uniforms
constexpr int kBlock = 32;  // neurons in a turn of the loop: BLOCK in _x86.py
constexpr int kMaxStreams = 128;
constexpr int kMaxUniforms = 1024;
constexpr int kMaxBatchRank = 8;
constexpr int64_t kShare = 1 << 15;  // blocks times words of code for which another thread is worth its while

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

// Where the neurons of an operand or a result stand in memory, and how that moves from one batch lane to the next.
struct Stream {
  uint8_t* data;
  int64_t width;  // bytes of an element
  int64_t strides[kMaxBatchRank];

  // Returns false where the batch axes disagree with `sizes`.
  bool Init(const ffi::AnyBuffer& buffer, int rank, const Dims& sizes, int64_t start, int64_t n) {
    const Dims dims = buffer.dimensions();
    if (static_cast<int>(dims.size()) != rank + 1) return false;
    if (start < 0 || start + n > dims[rank]) return false;
    data = static_cast<uint8_t*>(buffer.untyped_data());
    width = buffer.element_type() == ffi::PRED ? 1 : sizeof(int32_t);
    data += start * width;
    int64_t step = dims[rank] * width;
    for (int d = rank - 1; d >= 0; --d) {
      if (dims[d] != 1 && dims[d] != sizes[d]) return false;
      strides[d] = dims[d] == 1 ? 0 : step;
      step *= dims[d];
    }
    return true;
  }
};

#if defined(JAXSYN_MACHINE)
// A function and its arrays: operands, then results, each with the axes `out`.
struct Program {
  Function function;
  int n_operands, n_streams, rank;
  int64_t n, n_uniforms;
  Dims out;
  Stream streams[kMaxStreams];
  Stream uniforms;

  void Move(int axis, int64_t steps) {
    uniforms.data += steps * uniforms.strides[axis];
    for (int k = 0; k < n_streams; ++k) streams[k].data += steps * streams[k].strides[axis];
  }

  // The lanes [lane, end) of the batch, the neurons of each in `parts` that are done at the same time.
  void RunLanes(int64_t lane, int64_t end, int parts) {
    int64_t index[kMaxBatchRank] = {};
    int64_t rest = lane;
    for (int d = rank - 1; d >= 0; rest /= out[d--]) Move(d, index[d] = rest % out[d]);
    alignas(64) int32_t table[kCounted + kMaxUniforms * kLanes];
    for (int k = 0; k < kCounted; ++k) table[k] = k;
    int32_t* vectors = table + kCounted;
    const uint8_t* present = nullptr;
    for (; lane < end; ++lane) {
      if (present != uniforms.data) {
        present = uniforms.data;
        const int32_t* values = reinterpret_cast<const int32_t*>(present);
        for (int64_t u = 0; u < n_uniforms; ++u) std::fill_n(vectors + u * kLanes, kLanes, values[u]);
      }
      RunLane(vectors, parts);
      for (int d = rank - 1; d >= 0; --d) {
        const bool carry = ++index[d] == out[d];
        Move(d, carry ? 1 - out[d] : 1);
        if (!carry) break;
        index[d] = 0;
      }
    }
  }

 private:
  void RunLane(const int32_t* vectors, int parts) const {
    const int64_t blocks = n / kBlock;
    auto some_blocks = [&](int part) {
      const int64_t first = blocks * part / parts, count = blocks * (part + 1) / parts - first;
      void* table[kMaxStreams];
      for (int k = 0; k < n_streams; ++k) table[k] = streams[k].data + first * kBlock * streams[k].width;
      if (count > 0) function(table, vectors, count, 0, static_cast<int32_t>(first * kBlock));
    };
    jaxsyn::InParts(parts, some_blocks);
    if (n > blocks * kBlock) RunRest(vectors, blocks * kBlock);
  }

  // The neurons of the last, partial block, on copies.
  void RunRest(const int32_t* vectors, int64_t done) const {
    void* table[kMaxStreams];
    alignas(64) int32_t block[kMaxStreams][kBlock];
    for (int k = 0; k < n_streams; ++k) {
      const int64_t width = streams[k].width;
      table[k] = block[k];
      if (k < n_operands) std::memcpy(block[k], streams[k].data + done * width, (n - done) * width);
    }
    function(table, vectors, 1, 0, static_cast<int32_t>(done));
    for (int k = n_operands; k < n_streams; ++k) {
      const int64_t width = streams[k].width;
      std::memcpy(streams[k].data + done * width, block[k], (n - done) * width);
    }
  }
};
#endif

// Streams, operands first, begin at `starts`; n neurons of each are worked on.
ffi::Error Elementwise(ffi::AnyBuffer uniforms, ffi::RemainingArgs operands, ffi::RemainingRets results, Code code,
                       int64_t digest, Code starts, int64_t n, int32_t threads) {
  const int n_operands = static_cast<int>(operands.size()), n_results = static_cast<int>(results.size());
  const int n_streams = n_operands + n_results;
  if (n_results == 0 || n_streams > kMaxStreams) return Invalid("jaxsyn: an elementwise program has too many arrays");
  const Dims out = (*results.get<ffi::AnyBuffer>(0))->dimensions();
  const int rank = static_cast<int>(out.size()) - 1;
  if (rank < 0 || rank > kMaxBatchRank || static_cast<int>(starts.size()) != n_streams) return Invalid(kBadShapes);
#if defined(JAXSYN_MACHINE)
  Program program;
  program.n_operands = n_operands, program.n_streams = n_streams, program.rank = rank;
  program.n = n, program.out = out;
  program.n_uniforms = uniforms.dimensions()[uniforms.dimensions().size() - 1];
  bool good = program.uniforms.Init(uniforms, rank, out, 0, program.n_uniforms) && program.n_uniforms <= kMaxUniforms;
  for (int k = 0; k < n_operands; ++k) {
    good = good && program.streams[k].Init(*operands.get<ffi::AnyBuffer>(k), rank, out, starts[k], n);
  }
  for (int k = n_operands; k < n_streams; ++k) {
    const ffi::AnyBuffer result = **results.get<ffi::AnyBuffer>(k - n_operands);
    const Dims dims = result.dimensions();
    good = good && program.streams[k].Init(result, rank, out, starts[k], n) &&
           std::equal(out.begin(), out.begin() + rank, dims.begin());
  }
  if (!good) return Invalid(kBadShapes);
  program.function = Find(digest, code);
  if (program.function == nullptr) return ffi::Error::Internal("jaxsyn: this system gives no executable memory");

  int64_t lanes = 1;
  for (int d = 0; d < rank; ++d) lanes *= out[d];
  if (lanes * n == 0) return ffi::Error::Success();
  const int64_t work = lanes * n / kBlock * static_cast<int64_t>(code.size());
  const int parts = static_cast<int>(std::max<int64_t>(1, std::min<int64_t>(threads, work / kShare)));
  if (lanes == 1 || lanes < parts) {
    program.RunLanes(0, lanes, parts);
  } else {
    auto some_lanes = [&](int part) {
      Program(program).RunLanes(lanes * part / parts, lanes * (part + 1) / parts, 1);
    };
    jaxsyn::InParts(parts, some_lanes);
  }
  return ffi::Error::Success();
#else
  (void)uniforms, (void)code, (void)digest, (void)n, (void)threads;
  return Invalid("jaxsyn: elementwise programs are for x86-64");
#endif
}

// Roles of the operands of a recurrence: the number of the result that replaces it from step to step, or one of these.
constexpr int32_t kEachStep = -1, kSame = -2;
constexpr int64_t kTile = 1024;       // neurons that go through all steps together: what they carry stays in the cache
constexpr int64_t kTileOfLanes = 16;  // lanes that do where a matrix is multiplied with: it serves them all
constexpr int64_t kPoolShare = 1 << 18;  // blocks times words of code for which the pool is asked for help
constexpr int kMaxStages = 8;

// A product between two stages of a step, of all entries from `first` on of a stream, added up from `place` on.
struct Coupling {
  int32_t stage, from, to, first, place, by_events;
  const float* matrix;
  int64_t n, m;
};

#if defined(JAXSYN_MACHINE)
// A program step after step: stages of code with products between them, on arrays of the steps or of the neurons.
struct Steps {
  struct Row {
    uint8_t* data;
    const uint8_t* start;  // what stands in `data` before the first step, if it has to be brought there
    int64_t width, stride;
  };
  Function stages[kMaxStages];
  Row rows[kMaxStreams];
  Coupling couplings[kMaxStages];
  int n_stages, n_couplings, n_operands, n_streams, n_scratch;  // the last streams are scratch
  int64_t n, lane, steps, tile_size;
  bool reverse;

  int64_t tiles() const { return (n + tile_size - 1) / tile_size; }

  // All steps of the neurons of one tile.
  void RunTile(int64_t number, const int32_t* vectors) const {
    const int64_t first = number * tile_size, count = std::min(n - first, tile_size);
    for (int k = 0; k < n_operands; ++k) {
      const Row& r = rows[k];
      if (r.start != nullptr) std::memcpy(r.data + first * r.width, r.start + first * r.width, count * r.width);
    }
    const int n_arrays = n_streams - n_scratch;
    const int64_t padded = (count + kBlock - 1) / kBlock * kBlock;
    static thread_local std::vector<int32_t> scratch;
    scratch.assign(n_scratch * padded, 0);
    void* table[kMaxStreams];
    for (int k = 0; k < n_scratch; ++k) table[n_arrays + k] = scratch.data() + k * padded;
    for (int64_t s = 0; s < steps; ++s) {
      const int64_t step = reverse ? steps - 1 - s : s;
      for (int k = 0; k < n_arrays; ++k) table[k] = rows[k].data + step * rows[k].stride + first * rows[k].width;
      for (int stage = 0; stage < n_stages; ++stage) {
        if (stages[stage] != nullptr) RunStage(stages[stage], table, vectors, count);
        for (int c = 0; c < n_couplings; ++c) {
          const Coupling& one = couplings[c];
          if (one.stage != stage) continue;
          jaxsyn::MultiplyRows(static_cast<const float*>(table[one.from]) + one.first, one.matrix, one.n, one.m,
                               count / lane, lane, one.by_events != 0, static_cast<float*>(table[one.to]) + one.place);
        }
      }
    }
  }

 private:
  // One stage of one step; the last, partial block runs on copies.
  void RunStage(Function function, void* const* table, const int32_t* vectors, int64_t count) const {
    const int64_t blocks = count / kBlock, rest = count % kBlock;
    if (blocks > 0) function(table, vectors, blocks, 0, 0);
    if (rest == 0) return;
    alignas(64) int32_t block[kMaxStreams][kBlock];
    void* copies[kMaxStreams];
    const auto place = [&](int k) { return static_cast<uint8_t*>(table[k]) + blocks * kBlock * Width(k); };
    for (int k = 0; k < n_streams; ++k) {  // results too: a stage leaves those of the others as they are
      copies[k] = block[k];
      std::memcpy(block[k], place(k), rest * Width(k));
    }
    function(copies, vectors, 1, 0, 0);
    for (int k = n_operands; k < n_streams; ++k) std::memcpy(place(k), block[k], rest * Width(k));
  }

  int64_t Width(int k) const { return k < n_streams - n_scratch ? rows[k].width : sizeof(int32_t); }
};
#endif

// Operands and results of each step have the axes (steps, n), the others (n,), the last operands are matrices; the
// first `carried` results replace operands, so that after the last step they hold what it left. The code is that of
// `lengths.size()` stages, one after the other.
ffi::Error Recurrence(ffi::ThreadPool pool, ffi::AnyBuffer uniforms, ffi::RemainingArgs operands,
                      ffi::RemainingRets results, Code code, Code lengths, Code digests, Code couplings, Code roles,
                      int64_t n, int64_t lane, int64_t steps, int32_t carried, int32_t reverse, int32_t n_scratch) {
  constexpr int kWords = 6;  // of the description of a product
  const int n_stages = static_cast<int>(lengths.size()), n_results = static_cast<int>(results.size());
  const int n_couplings = static_cast<int>(couplings.size()) / kWords;
  const int n_operands = static_cast<int>(operands.size()) - n_couplings;
  const int n_streams = n_operands + n_results + n_scratch;
  if (n_operands < 0 || n_results == 0 || n_scratch < 0 || n_streams > kMaxStreams || n_stages > kMaxStages ||
      n_couplings > kMaxStages) {
    return Invalid("jaxsyn: a recurrence has too many arrays or stages");
  }
  if (static_cast<int>(roles.size()) != n_operands || carried > n_results || digests.size() != 2 * lengths.size()) {
    return Invalid(kBadShapes);
  }
#if defined(JAXSYN_MACHINE)
  Steps run;
  run.n_stages = n_stages, run.n_couplings = n_couplings, run.n_scratch = n_scratch;
  run.n_operands = n_operands, run.n_streams = n_streams;
  run.n = n, run.lane = lane, run.steps = steps, run.reverse = reverse != 0;
  run.tile_size = n_couplings > 0 ? kTileOfLanes * lane : kTile;
  bool good = lane > 0 && n % lane == 0;
  const auto row = [&](const ffi::AnyBuffer& buffer, bool each_step) {
    const int64_t width = buffer.element_type() == ffi::PRED ? 1 : sizeof(int32_t);
    good = good && static_cast<int64_t>(buffer.element_count()) == (each_step ? n * steps : n);
    return Steps::Row{static_cast<uint8_t*>(buffer.untyped_data()), nullptr, width, each_step ? n * width : 0};
  };
  for (int k = 0; k < n_results; ++k) {
    run.rows[n_operands + k] = row(**results.get<ffi::AnyBuffer>(k), k >= carried);
  }
  for (int k = 0; k < n_operands; ++k) {
    run.rows[k] = row(*operands.get<ffi::AnyBuffer>(k), roles[k] == kEachStep);
    if (roles[k] < 0) continue;
    if (roles[k] >= carried) return Invalid(kBadShapes);
    const uint8_t* start = run.rows[k].data;
    run.rows[k] = run.rows[n_operands + roles[k]];
    if (start != run.rows[k].data) run.rows[k].start = start;
  }
  for (int c = 0; c < n_couplings; ++c) {
    const int32_t* words = couplings.begin() + c * kWords;
    const ffi::AnyBuffer matrix = *operands.get<ffi::AnyBuffer>(n_operands + c);
    const Dims dims = matrix.dimensions();
    if (dims.size() != 2 || matrix.element_type() != ffi::F32) return Invalid(kBadShapes);
    run.couplings[c] = Coupling{words[0], words[1], words[2], words[3], words[4], words[5],
                                static_cast<const float*>(matrix.untyped_data()), dims[0], dims[1]};
    const Coupling& one = run.couplings[c];
    good = good && 0 <= one.from && one.from < n_streams && n_operands + n_results <= one.to && one.to < n_streams &&
           0 <= one.first && one.first + one.n <= lane && 0 <= one.place && one.place + one.m <= lane;
  }
  const int64_t n_uniforms = static_cast<int64_t>(uniforms.element_count());
  int64_t n_words = 0;
  for (const int32_t length : lengths) {
    good = good && length >= 0;
    n_words += length;
  }
  if (!good || n_words != static_cast<int64_t>(code.size()) || n_uniforms > kMaxUniforms) return Invalid(kBadShapes);
  const int32_t* begin = code.begin();
  for (int k = 0; k < n_stages; begin += lengths[k++]) {
    run.stages[k] = nullptr;
    if (lengths[k] == 0) continue;
    int64_t digest;
    std::memcpy(&digest, digests.begin() + 2 * k, sizeof(digest));
    run.stages[k] = Find(digest, Code(begin, lengths[k]));
    if (run.stages[k] == nullptr) return ffi::Error::Internal("jaxsyn: this system gives no executable memory");
  }

  alignas(64) int32_t numbers[kCounted + kMaxUniforms * kLanes];
  for (int k = 0; k < kCounted; ++k) numbers[k] = k;
  int32_t* vectors = numbers + kCounted;
  const int32_t* values = static_cast<const int32_t*>(uniforms.untyped_data());
  for (int64_t u = 0; u < n_uniforms; ++u) std::fill_n(vectors + u * kLanes, kLanes, values[u]);

  const auto tile = [&](int64_t number) { run.RunTile(number, vectors); };
  if (n_couplings == 0 && n / kBlock * steps * static_cast<int64_t>(code.size()) < kPoolShare) {
    for (int64_t number = 0; number < run.tiles(); ++number) tile(number);
  } else {
    jaxsyn::Share(pool, run.tiles(), tile);
  }
  return ffi::Error::Success();
#else
  (void)pool, (void)uniforms, (void)code, (void)couplings, (void)n, (void)lane, (void)steps, (void)reverse;
  return Invalid("jaxsyn: elementwise programs are for x86-64");
#endif
}

}  // namespace

extern "C" {
// What this processor and system run of elementwise programs: 0 none, 2 those with AVX2, 512 those with AVX-512 too.
JAXSYN_EXPORT int32_t jaxsyn_elementwise_supported() {
#if defined(JAXSYN_MACHINE)
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return 0;
  const int32_t only_return[] = {0xc3};
  if (MakeExecutable(Code(only_return, 1)) == nullptr) return 0;
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") ? 512 : 2;
#else
  return 0;
#endif
}
JAXSYN_EXPORT XLA_FFI_Error* jaxsyn_elementwise(XLA_FFI_CallFrame* frame);
JAXSYN_EXPORT XLA_FFI_Error* jaxsyn_recurrence(XLA_FFI_CallFrame* frame);
}

XLA_FFI_DEFINE_HANDLER_SYMBOL(jaxsyn_elementwise, Elementwise,
                              ffi::Ffi::Bind()
                                  .Arg<ffi::AnyBuffer>()
                                  .RemainingArgs()
                                  .RemainingRets()
                                  .Attr<Code>("code")
                                  .Attr<int64_t>("digest")
                                  .Attr<Code>("starts")
                                  .Attr<int64_t>("size")
                                  .Attr<int32_t>("threads"));

XLA_FFI_DEFINE_HANDLER_SYMBOL(jaxsyn_recurrence, Recurrence,
                              ffi::Ffi::Bind()
                                  .Ctx<ffi::ThreadPool>()
                                  .Arg<ffi::AnyBuffer>()
                                  .RemainingArgs()
                                  .RemainingRets()
                                  .Attr<Code>("code")
                                  .Attr<Code>("lengths")
                                  .Attr<Code>("digests")
                                  .Attr<Code>("couplings")
                                  .Attr<Code>("roles")
                                  .Attr<int64_t>("size")
                                  .Attr<int64_t>("lane")
                                  .Attr<int64_t>("length")
                                  .Attr<int32_t>("carried")
                                  .Attr<int32_t>("reverse")
                                  .Attr<int32_t>("n_scratch"));
