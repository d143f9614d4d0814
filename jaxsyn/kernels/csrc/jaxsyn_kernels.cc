// Native CPU kernels of jaxsyn, called by XLA through its typed foreign function interface.
//
// One plain shared library: no Python symbols, no allocation, no exceptions. The graph is a stacked CSR
// whose row `k * n_pre + pre` holds the synapses of neuron `pre` with the k-th delay. Every float operand may carry
// leading batch axes; an axis of size 1 is shared by all lanes (read once for each lane, or summed over the lanes when
// it belongs to a result). Products are rounded before they are added (the build forbids contraction), so all
// instruction sets give the same bits.

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "products.h"
#include "threads.h"
#include "xla/ffi/api/ffi.h"

namespace ffi = xla::ffi;

#if defined(_MSC_VER)
#include <intrin.h>
#define JAXSYN_EXPORT __declspec(dllexport)
#define JAXSYN_RESTRICT __restrict
#define JAXSYN_PREFETCH(address) (void)(address)
static inline int LowestBit(uint64_t word) {
  unsigned long index;
  _BitScanForward64(&index, word);
  return static_cast<int>(index);
}
#else
#define JAXSYN_EXPORT __attribute__((visibility("default")))
#define JAXSYN_RESTRICT __restrict__
#define JAXSYN_PREFETCH(address) __builtin_prefetch(address)
static inline int LowestBit(uint64_t word) { return __builtin_ctzll(word); }
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "spikes are scanned as little-endian words");
#endif

namespace {

using Dims = ffi::Span<const int64_t>;
using IntBuffer = ffi::Buffer<ffi::S32>;
using BoolBuffer = ffi::Buffer<ffi::PRED>;

constexpr int kMaxBatchRank = 8;
constexpr int kMaxReceptors = 64;

// Walks the lanes of K operands that share their leading batch axes; `at[k]` is the element offset of operand k.
template <int K>
struct Lanes {
  int64_t at[K];

  // Returns false where the batch axes of the operands disagree.
  bool Init(const Dims (&dims)[K], const int (&core_ranks)[K]) {
    rank_ = static_cast<int>(dims[0].size()) - core_ranks[0];
    if (rank_ < 0 || rank_ > kMaxBatchRank) return false;
    for (int d = 0; d < rank_; ++d) sizes_[d] = 1;
    for (int k = 0; k < K; ++k) {
      if (static_cast<int>(dims[k].size()) != rank_ + core_ranks[k]) return false;
      int64_t step = 1;
      for (int d = rank_; d < rank_ + core_ranks[k]; ++d) step *= dims[k][d];
      for (int d = rank_ - 1; d >= 0; --d) {
        const int64_t size = dims[k][d];
        strides_[k][d] = size == 1 ? 0 : step;
        step *= size;
        if (size == 1 || size == sizes_[d]) continue;
        if (sizes_[d] != 1) return false;
        sizes_[d] = size;
      }
      at[k] = 0;
    }
    total_ = 1;
    for (int d = 0; d < rank_; ++d) {
      total_ *= sizes_[d];
      index_[d] = 0;
    }
    return true;
  }

  int64_t total() const { return total_; }

  // Goes to a lane; they count with the last batch axis fastest.
  void Seek(int64_t lane) {
    for (int k = 0; k < K; ++k) at[k] = 0;
    for (int d = rank_ - 1; d >= 0; --d) {
      index_[d] = lane % sizes_[d];
      lane /= sizes_[d];
      for (int k = 0; k < K; ++k) at[k] += strides_[k][d] * index_[d];
    }
  }

  void Next() {
    for (int d = rank_ - 1; d >= 0; --d) {
      for (int k = 0; k < K; ++k) at[k] += strides_[k][d];
      if (++index_[d] < sizes_[d]) return;
      for (int k = 0; k < K; ++k) at[k] -= strides_[k][d] * sizes_[d];
      index_[d] = 0;
    }
  }

 private:
  int rank_;
  int64_t total_;
  int64_t sizes_[kMaxBatchRank];
  int64_t index_[kMaxBatchRank];
  int64_t strides_[K][kMaxBatchRank];
};

ffi::Error Invalid(const char* message) { return ffi::Error::InvalidArgument(message); }

const char* const kBadBatch = "jaxsyn: the batch axes of the operands disagree";
const char* const kBadRow = "jaxsyn: row_ptr must ascend from 0 and end within the synapse arrays";
const char* const kBadType = "jaxsyn: weights, sources and accumulators must share one dtype, float32 or float64";
const char* const kBadFormat =
    "jaxsyn: accumulators and gains must share one dtype, float32 or float64; weights have it too, or are float16, "
    "bfloat16, int8 or int16; targets are int32 or uint16";

// Arrays, one for each receptor, that a kernel adds to in place.
using Rows = std::array<void*, kMaxReceptors>;

// Finds them, with what stood there: XLA may have kept it elsewhere. False where their types or shapes differ.
bool BringRows(const ffi::RemainingArgs& before, const ffi::RemainingRets& after, ffi::DataType type, Rows& rows) {
  const Dims dims = (*after.get<ffi::AnyBuffer>(0))->dimensions();
  for (size_t r = 0; r < after.size(); ++r) {
    const ffi::AnyBuffer old = *before.get<ffi::AnyBuffer>(r), out = **after.get<ffi::AnyBuffer>(r);
    const Dims own = out.dimensions();
    if (out.element_type() != type || !std::equal(own.begin(), own.end(), dims.begin(), dims.end())) return false;
    rows[r] = out.untyped_data();
    if (rows[r] != old.untyped_data()) std::memcpy(rows[r], old.untyped_data(), out.size_bytes());
  }
  return true;
}

// The graph as the kernels see it.
template <typename Index>
struct GraphOf {
  const int32_t* JAXSYN_RESTRICT row_ptr;
  const Index* JAXSYN_RESTRICT post;
  int64_t n_rows;
  int64_t nnz;

  GraphOf(const IntBuffer& row_ptr_buffer, const ffi::AnyBuffer& post_buffer)
      : row_ptr(row_ptr_buffer.typed_data()),
        post(static_cast<const Index*>(post_buffer.untyped_data())),
        n_rows(static_cast<int64_t>(row_ptr_buffer.dimensions()[0]) - 1),
        nnz(static_cast<int64_t>(post_buffer.dimensions()[0])) {}

  bool Holds(int32_t begin, int32_t end) const { return 0 <= begin && begin <= end && end <= nnz; }
  int64_t MeanRow() const { return nnz / std::max<int64_t>(1, n_rows); }
};

using Graph = GraphOf<int32_t>;

// Weights or their cotangents of one lane: (receptors, width), width 1 where all synapses share one value.
struct Extent {
  int64_t receptors;
  int64_t width;
  int64_t n_post;
};

inline int64_t FromEnd(const Dims& dims, int back) { return dims[dims.size() - back]; }

// y[post[s]] += weight[s] * x for the synapses s of one row; a single weight is shared by all.
template <typename T>
inline void ScatterRow(const Graph& graph, int32_t begin, int32_t end, const T* JAXSYN_RESTRICT weight, bool shared, T x,
                       T* JAXSYN_RESTRICT y) {
  const int32_t* JAXSYN_RESTRICT post = graph.post;
  if (shared) {
    const T value = *weight * x;
    for (int32_t s = begin; s < end; ++s) y[post[s]] += value;
  } else {
    for (int32_t s = begin; s < end; ++s) y[post[s]] += weight[s] * x;
  }
}

// ---- push, pull, outer: the three derivatives of sum_{r,s} weight[r,s] source[row(s)] target[r,post[s]] ----------
// Rows s with the mark -0.0 take no part in it; no marks, no such rows.

template <typename T>
inline bool Silent(const T* marks, int64_t row) {
  return marks != nullptr && marks[row] == T(0) && std::signbit(marks[row]);
}

// Asks the memory for the first synapses of a row.
template <typename T>
inline void RequestRow(const Graph& graph, int64_t begin, const T* weight, const Extent& extent) {
  for (int64_t s = begin; s < begin + 96; s += 16) {
    JAXSYN_PREFETCH(graph.post + s);
    if (extent.width != 1) JAXSYN_PREFETCH(weight + s);
  }
}

constexpr int kBlock = 1024;   // rows that are looked through before they are used
constexpr int kRowsAhead = 2;  // rows that are asked for before one is used

// Calls use(row, first synapse, last) for the rows that take part and whose value is not zero, if there are values.
template <typename T, typename Use>
inline ffi::Error EachRow(const Graph& graph, const T* marks, const T* values, const T* weight, const Extent& extent,
                          Use use) {
  int32_t rows[kBlock];
  for (int64_t first = 0; first < graph.n_rows; first += kBlock) {
    int64_t count = std::min<int64_t>(kBlock, graph.n_rows - first);
    const T* some = values != nullptr ? values : marks;
    if (some != nullptr) count = jaxsyn::Places(some + first, count, values == nullptr, rows);
    for (int64_t i = some != nullptr ? -kRowsAhead : 0; i < count; ++i) {
      if (some != nullptr && i + kRowsAhead < count) {
        RequestRow(graph, graph.row_ptr[first + rows[i + kRowsAhead]], weight, extent);
      }
      if (i < 0) continue;
      const int64_t row = first + (some != nullptr ? rows[i] : i);
      if (values != nullptr && Silent(marks, row)) continue;
      const int32_t begin = graph.row_ptr[row], end = graph.row_ptr[row + 1];
      if (!graph.Holds(begin, end)) return Invalid(kBadRow);
      use(row, begin, end);
    }
  }
  return ffi::Error::Success();
}

// Adds to y[r], (n_post,), for each receptor.
template <typename T>
ffi::Error PushLane(const Graph& graph, const T* marks, const T* weight, const T* source, const Extent& extent,
                    T* const* y) {
  return EachRow(graph, marks, source, weight, extent, [&](int64_t row, int32_t begin, int32_t end) {
    for (int64_t r = 0; r < extent.receptors; ++r) {
      ScatterRow(graph, begin, end, weight + r * extent.width, extent.width == 1, source[row], y[r]);
    }
  });
}

// sum_s weight[s] y[post[s]] for the synapses s of one row: some sums side by side, as one would wait for itself.
template <typename T>
inline T GatherRow(const Graph& graph, int32_t begin, int32_t end, const T* JAXSYN_RESTRICT weight, bool shared,
                   const T* JAXSYN_RESTRICT y) {
  const int32_t* JAXSYN_RESTRICT post = graph.post;
  if constexpr (std::is_same_v<T, float>) {
    if (!shared) return jaxsyn::GatherProducts(weight + begin, y, post + begin, end - begin);
  }
  T sums[4] = {};
  int32_t s = begin;
  for (; s + 4 <= end; s += 4) {
    for (int k = 0; k < 4; ++k) sums[k] += shared ? y[post[s + k]] : weight[s + k] * y[post[s + k]];
  }
  for (; s < end; ++s) sums[0] += shared ? y[post[s]] : weight[s] * y[post[s]];
  const T sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  return shared ? *weight * sum : sum;
}

template <typename T>
ffi::Error PullLane(const Graph& graph, const T* marks, const T* weight, const T* target, const Extent& extent, T* x) {
  const T* all = nullptr;
  return EachRow(graph, marks, all, weight, extent, [&](int64_t row, int32_t begin, int32_t end) {
    for (int64_t r = 0; r < extent.receptors; ++r) {
      const T* y = target + r * extent.n_post;
      x[row] += GatherRow(graph, begin, end, weight + r * extent.width, extent.width == 1, y);
    }
  });
}

template <typename T>
ffi::Error OuterLane(const Graph& graph, const T* marks, const T* source, const T* target, const Extent& extent,
                     T* weight) {
  const int32_t* JAXSYN_RESTRICT post = graph.post;
  return EachRow(graph, marks, source, weight, extent, [&](int64_t row, int32_t begin, int32_t end) {
    const T x = source[row];
    for (int64_t r = 0; r < extent.receptors; ++r) {
      const T* JAXSYN_RESTRICT y = target + r * extent.n_post;
      if (extent.width == 1) {
        T sum = weight[r];
        for (int32_t s = begin; s < end; ++s) sum += x * y[post[s]];
        weight[r] = sum;
      } else {
        T* JAXSYN_RESTRICT values = weight + r * extent.width;
        for (int32_t s = begin; s < end; ++s) values[s] += x * y[post[s]];
      }
    }
  });
}

enum class Slot { kPull, kOuter };

// One driver for pull and outer: `a` and `b` are the two given factors in the order (weight, source, target), `out` the
// third. It is added to what stands at `before`, which may be the place of `out`; null: to nothing.
template <Slot slot, typename T>
ffi::Error TrilinearTyped(const Graph& graph, const ffi::AnyBuffer& marks, const ffi::AnyBuffer& a,
                          const ffi::AnyBuffer& b, const void* before, const ffi::AnyBuffer& out) {
  const Dims mark_dims = marks.dimensions();
  const Dims a_dims = a.dimensions(), b_dims = b.dimensions(), out_dims = out.dimensions();
  constexpr int kCoreA = slot == Slot::kOuter ? 1 : 2;
  constexpr int kCoreB = 2;
  constexpr int kCoreOut = slot == Slot::kPull ? 1 : 2;
  Lanes<4> lanes;
  if (!lanes.Init({a_dims, b_dims, out_dims, mark_dims}, {kCoreA, kCoreB, kCoreOut, 1})) return Invalid(kBadBatch);
  const Dims& weight_dims = slot == Slot::kOuter ? out_dims : a_dims;
  const Extent extent{FromEnd(weight_dims, 2), FromEnd(weight_dims, 1), FromEnd(b_dims, 1)};
  if (extent.width != 1 && extent.width != graph.nnz) return Invalid("jaxsyn: weight width must be 1 or nnz");
  const int64_t n_marks = FromEnd(mark_dims, 1);
  if (n_marks != 0 && n_marks != graph.n_rows) return Invalid("jaxsyn: there must be a mark for each row, or none");
  T* result = static_cast<T*>(out.untyped_data());
  if (before == nullptr) {
    std::memset(result, 0, out.element_count() * sizeof(T));
  } else if (before != result) {
    std::memcpy(result, before, out.element_count() * sizeof(T));
  }
  const T* left = static_cast<const T*>(a.untyped_data());
  const T* right = static_cast<const T*>(b.untyped_data());
  for (int64_t lane = 0; lane < lanes.total(); ++lane, lanes.Next()) {
    const T* la = left + lanes.at[0];
    const T* lb = right + lanes.at[1];
    T* lo = result + lanes.at[2];
    const T* lm = n_marks == 0 ? nullptr : static_cast<const T*>(marks.untyped_data()) + lanes.at[3];
    ffi::Error error = slot == Slot::kPull ? PullLane<T>(graph, lm, la, lb, extent, lo)
                                           : OuterLane<T>(graph, lm, la, lb, extent, lo);
    if (error.failure()) return error;
  }
  return ffi::Error::Success();
}

template <Slot slot>
ffi::Error Trilinear(IntBuffer row_ptr, ffi::AnyBuffer post, ffi::AnyBuffer marks, ffi::AnyBuffer a, ffi::AnyBuffer b,
                     ffi::RemainingArgs onto, ffi::Result<ffi::AnyBuffer> out) {
  const ffi::DataType type = out->element_type();
  const void* before = nullptr;
  if (onto.size() > 0) {
    const ffi::AnyBuffer sums = *onto.get<ffi::AnyBuffer>(0);
    if (sums.element_type() != type || sums.element_count() != out->element_count()) return Invalid(kBadType);
    before = sums.untyped_data();
  }
  for (const ffi::AnyBuffer* each : {&marks, &a, &b}) {
    if (each->element_type() != type) return Invalid(kBadType);
  }
  if (post.element_type() != ffi::S32) return Invalid(kBadType);
  const Graph graph(row_ptr, post);
  if (type == ffi::F32) return TrilinearTyped<slot, float>(graph, marks, a, b, before, *out);
  if (type == ffi::F64) return TrilinearTyped<slot, double>(graph, marks, a, b, before, *out);
  return Invalid(kBadType);
}

template <typename T>
ffi::Error PushTyped(const Graph& graph, const ffi::AnyBuffer& marks, const ffi::AnyBuffer& weight,
                     const ffi::AnyBuffer& source, const Dims& dims, const Rows& rows) {
  const Dims mark_dims = marks.dimensions(), weight_dims = weight.dimensions();
  Lanes<4> lanes;
  if (!lanes.Init({weight_dims, source.dimensions(), dims, mark_dims}, {2, 1, 1, 1})) return Invalid(kBadBatch);
  const Extent extent{FromEnd(weight_dims, 2), FromEnd(weight_dims, 1), FromEnd(dims, 1)};
  if (extent.width != 1 && extent.width != graph.nnz) return Invalid("jaxsyn: weight width must be 1 or nnz");
  const int64_t n_marks = FromEnd(mark_dims, 1);
  if (n_marks != 0 && n_marks != graph.n_rows) return Invalid("jaxsyn: there must be a mark for each row, or none");
  for (int64_t lane = 0; lane < lanes.total(); ++lane, lanes.Next()) {
    T* own[kMaxReceptors];
    for (int64_t r = 0; r < extent.receptors; ++r) own[r] = static_cast<T*>(rows[r]) + lanes.at[2];
    const T* lm = n_marks == 0 ? nullptr : static_cast<const T*>(marks.untyped_data()) + lanes.at[3];
    ffi::Error error = PushLane<T>(graph, lm, static_cast<const T*>(weight.untyped_data()) + lanes.at[0],
                                   static_cast<const T*>(source.untyped_data()) + lanes.at[1], extent, own);
    if (error.failure()) return error;
  }
  return ffi::Error::Success();
}

// The sums, one array for each receptor, are updated in place.
ffi::Error Push(IntBuffer row_ptr, ffi::AnyBuffer post, ffi::AnyBuffer marks, ffi::AnyBuffer weight,
                ffi::AnyBuffer source, ffi::RemainingArgs before, ffi::RemainingRets after) {
  const size_t receptors = after.size();
  if (receptors == 0 || receptors > kMaxReceptors || before.size() != receptors ||
      static_cast<int64_t>(receptors) != FromEnd(weight.dimensions(), 2)) {
    return Invalid("jaxsyn: push takes one row of sums for each receptor, 1 to 64");
  }
  const ffi::DataType type = weight.element_type();
  bool good = post.element_type() == ffi::S32 && marks.element_type() == type && source.element_type() == type;
  const Dims dims = (*after.get<ffi::AnyBuffer>(0))->dimensions();
  Rows rows;
  if (!good || !BringRows(before, after, type, rows)) return Invalid(kBadType);
  const Graph graph(row_ptr, post);
  if (type == ffi::F32) return PushTyped<float>(graph, marks, weight, source, dims, rows);
  if (type == ffi::F64) return PushTyped<double>(graph, marks, weight, source, dims, rows);
  return Invalid(kBadType);
}

// ---- deliver: the spikes of d steps ago, for each delay d ---------------------------------------------------------

constexpr int kFew = 8;       // ids that are looked through one by one
constexpr int kAhead = 8;     // rows whose synapses are requested ahead of use
constexpr int32_t kLine = 16;  // 4-byte synapse fields in a cache line
constexpr int32_t kPrefetchSpan = 8 * kLine;  // the hardware follows from there
constexpr int64_t kShare = 4096;  // synapses for which another thread is worth its while
constexpr int64_t kLaneShare = 1024;  // where each has lanes of its own
constexpr int64_t kLongRow = 96;  // synapses; where rows are shorter, finding them in memory takes most of the time
constexpr int kMostParts = 64;
constexpr int32_t kSlack = kLine;  // synapses by which a guess may be off
constexpr int kSamples = 8;
constexpr int kChunk = 64;  // weights that are converted at once

// Weights of two bytes, as floats.
struct Half {
  uint16_t bits;
};
struct Brain {
  uint16_t bits;
};

inline float FromBits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}
// Without denormals of float32, which XLA has switched off.
inline float ToFloat(Half h) {
  const uint32_t size = h.bits & 0x7fffu, sign = static_cast<uint32_t>(h.bits & 0x8000u) << 16;
  const float small = static_cast<float>(static_cast<int32_t>(size)) * 5.9604644775390625e-8f;
  const float large = FromBits((size << 13) + (size < 0x7c00u ? 0x38000000u : 0x70000000u));
  const float value = size < 0x0400u ? small : large;
  return sign != 0 ? -value : value;
}
inline float ToFloat(Brain b) { return FromBits(static_cast<uint32_t>(b.bits) << 16); }
inline float ToFloat(int8_t w) { return static_cast<float>(w); }
inline float ToFloat(int16_t w) { return static_cast<float>(w); }
inline float ToFloat(float w) { return w; }
inline double ToFloat(double w) { return w; }


// One accumulator for each receptor.
template <typename T>
using Accumulators = std::array<T*, kMaxReceptors>;

// Among how many threads so many synapses are shared.
int PartsFor(int64_t synapses, int64_t threads, int64_t share) {
  return static_cast<int>(std::max<int64_t>(1, std::min(threads, synapses / share)));
}

// The first synapse of a row whose target is not below `bound`; looked for around a guess, then by halving.
template <typename Index>
int32_t FirstFrom(const Index* JAXSYN_RESTRICT post, int32_t begin, int32_t end, int32_t guess, int32_t bound) {
  int32_t low = begin, high = end;
  int64_t step = kSlack;
  for (int32_t at = guess; at > begin;) {
    at = static_cast<int32_t>(std::max<int64_t>(begin, at - step));
    if (post[at] < bound) {
      low = at;
      break;
    }
    high = at;
    step *= 4;
  }
  step = kSlack;
  for (int32_t at = std::max(guess, low); at < high;) {
    at = static_cast<int32_t>(std::min<int64_t>(high, at + step));
    if (at == high) break;
    if (post[at] >= bound) {
      high = at;
      break;
    }
    low = at;
    step *= 4;
  }
  int32_t n = high - low;
  while (n > 1) {
    const int32_t half = n / 2;
    low += post[low + half - 1] < bound ? half : 0;
    n -= half;
  }
  return low + (n == 1 && post[low] < bound ? 1 : 0);
}

// A range of targets, one of several that are delivered at the same time. Rows ascend by target.
struct Range {
  int32_t low, high;  // target indices
  int part, parts;

  // About where the synapses of a range begin in the row [begin, end).
  int32_t Guess(int32_t begin, int32_t end, int which) const {
    return begin + static_cast<int32_t>(static_cast<int64_t>(end - begin) * which / parts);
  }
};

// The ring of emitted ids of one lane.
struct Ring {
  const int32_t* ids;
  const int32_t* counts;
  int64_t n_slots;
  int64_t capacity;
};

inline int64_t SlotOf(int64_t tick, int64_t n_slots) {
  const int64_t slot = tick % n_slots;
  return slot < 0 ? slot + n_slots : slot;
}

// What differs between lanes.
template <typename T, typename Weight>
struct Lane {
  const Weight* weight;
  const T* gain;
  Ring ring;
  int32_t tick;
  Accumulators<T> acc;
};

// Delivery of weights of one type to sums of another. Targets of two bytes count within blocks of 2^16 targets, whose
// rows come one block after the other.
template <typename T, typename Weight, typename Index>
struct Delivery {
  GraphOf<Index> graph;
  Extent extent;
  const int32_t* delays;
  int64_t n_delays;
  int32_t first, n_sources;
  bool one_gain;  // for all receptors

  static constexpr int64_t kTargets = sizeof(Index) == 2 ? 1 << 16 : INT64_C(1) << 31;  // of a block

  int64_t Blocks() const { return std::max<int64_t>(1, (extent.n_post + kTargets - 1) / kTargets); }

  // How many ids are due in a lane; some may be of other populations.
  int64_t Due(const Lane<T, Weight>& lane) const {
    int64_t due = 0;
    for (int64_t k = 0; k < n_delays; ++k) {
      const int64_t slot = SlotOf(static_cast<int64_t>(lane.tick) - delays[k], lane.ring.n_slots);
      due += std::min<int64_t>(lane.ring.counts[slot], lane.ring.capacity);
    }
    return due;
  }

  // Like all below, false where a row leaves the synapse arrays.
  bool RunLane(const Lane<T, Weight>& lane, int threads) const {
    for (int64_t block = 0; block < Blocks(); ++block) {
      Lane<T, Weight> part = lane;
      for (int64_t r = 0; r < extent.receptors; ++r) part.acc[r] += block * kTargets;
      if (!RunBlock(part, block, threads)) return false;
    }
    return true;
  }

 private:
  bool RunBlock(const Lane<T, Weight>& lane, int64_t block, int threads) const {
    const int64_t n_targets = std::min(kTargets, extent.n_post - block * kTargets);
    int32_t rows[kBlock];
    int n = 0;
    for (int64_t k = 0; k < n_delays; ++k) {
      const int64_t slot = SlotOf(static_cast<int64_t>(lane.tick) - delays[k], lane.ring.n_slots);
      const int64_t count = std::min<int64_t>(lane.ring.counts[slot], lane.ring.capacity);
      const int32_t* ids = lane.ring.ids + slot * lane.ring.capacity;
      const int32_t base = static_cast<int32_t>((block * n_delays + k) * n_sources);
      // Ids ascend, so that those of the source population stand together.
      const int32_t* id = count > kFew ? std::lower_bound(ids, ids + count, first) : ids;
      for (const int32_t* end = ids + count; id != end; ++id) {
        const uint32_t local = static_cast<uint32_t>(*id) - static_cast<uint32_t>(first);
        if (local >= static_cast<uint32_t>(n_sources)) {
          if (*id < first) continue;
          break;
        }
        const int32_t row = base + static_cast<int32_t>(local);
        JAXSYN_PREFETCH(graph.row_ptr + row);
        rows[n++] = row;
        if (n < kBlock) continue;
        if (!RunRows(lane, rows, n, n_targets, threads)) return false;
        n = 0;
      }
    }
    return RunRows(lane, rows, n, n_targets, threads);
  }

  // Each target is added to by one thread, in the order of the rows: the same bits for any number of threads.
  bool RunRows(const Lane<T, Weight>& lane, const int32_t* rows, int n, int64_t n_targets, int threads) const {
    const int64_t row = graph.MeanRow();
    const int parts = row < kLongRow ? 1 : PartsFor(n * row * extent.receptors, std::min(threads, kMostParts), kShare);
    if (parts == 1) return RunRange(lane, rows, n, Range{0, static_cast<int32_t>(n_targets), 0, 1});
    int32_t bounds[kMostParts + 1];
    Split(rows, n, n_targets, parts, bounds);
    std::atomic<bool> good{true};
    auto deliver = [&](int part) {
      if (!RunRange(lane, rows, n, Range{bounds[part], bounds[part + 1], part, parts})) good.store(false);
    };
    jaxsyn::InParts(parts, deliver);
    return good.load();
  }

  // Bounds of `parts` ranges of targets with about equal work, from some of the rows: parts + 1 numbers.
  void Split(const int32_t* rows, int n, int64_t n_targets, int parts, int32_t* bounds) const {
    bounds[0] = 0;
    for (int p = 1; p < parts; ++p) {
      int32_t found[kSamples];
      int count = 0;
      for (int i = 0; i < kSamples; ++i) {
        const int32_t row = rows[static_cast<int64_t>(n) * i / kSamples];
        const int32_t begin = graph.row_ptr[row], end = graph.row_ptr[row + 1];
        if (!graph.Holds(begin, end) || begin == end) continue;
        found[count++] = graph.post[begin + static_cast<int64_t>(end - begin) * p / parts];
      }
      int32_t bound = static_cast<int32_t>(n_targets * p / parts);
      if (count > 0) {
        std::nth_element(found, found + count / 2, found + count);
        bound = found[count / 2];
      }
      bounds[p] = std::max(bounds[p - 1], bound / kLine * kLine);  // no cache line of targets for two
    }
    bounds[parts] = static_cast<int32_t>(n_targets);
  }

  bool RunRange(const Lane<T, Weight>& lane, const int32_t* rows, int n, const Range& range) const {
    int32_t begins[kBlock], ends[kBlock];
    for (int i = 0; i < n; ++i) {
      begins[i] = graph.row_ptr[rows[i]];
      ends[i] = graph.row_ptr[rows[i] + 1];
      if (!graph.Holds(begins[i], ends[i])) return false;
    }
    const bool is_last = range.part + 1 == range.parts;
    for (int i = 0; i < n; ++i) {
      if (i + kAhead < n) {  // here and not in a function, which GCC takes for one without effect
        const int32_t begin = begins[i + kAhead], end = ends[i + kAhead];
        const int32_t from = range.part == 0 ? begin : std::max(begin, range.Guess(begin, end, range.part) - kSlack);
        const int32_t guess = is_last ? end : range.Guess(begin, end, range.part + 1);
        const int32_t last = std::min(end - guess, kSlack) + guess, to = std::min(last - from, kPrefetchSpan) + from;
        for (int32_t s = from & -kLine; s < to; s += kLine) {
          JAXSYN_PREFETCH(graph.post + s);
          if (extent.width != 1) {
            for (int64_t r = 0; r < extent.receptors; ++r) JAXSYN_PREFETCH(lane.weight + r * extent.width + s);
          }
        }
        for (int32_t s = std::max(to, guess - kSlack) & -kLine; s < last && !is_last; s += kLine) {
          JAXSYN_PREFETCH(graph.post + s);
        }
      }
      int32_t begin = begins[i], end = ends[i];
      if (range.parts > 1) {
        const int32_t guess = range.Guess(begin, end, range.part + 1);
        if (range.part > 0) begin = FirstFrom(graph.post, begin, end, range.Guess(begin, end, range.part), range.low);
        if (!is_last) end = FirstFrom(graph.post, begin, end, std::max(begin, guess), range.high);
      }
      Scatter(lane, begin, end);
    }
    return true;
  }

  // acc[r, post[s]] += weight[r, s] * gain for the synapses s from `begin` to `end`.
  void Scatter(const Lane<T, Weight>& lane, int32_t begin, int32_t end) const {
    const Index* JAXSYN_RESTRICT post = graph.post;
    for (int64_t r = 0; r < extent.receptors; ++r) {
      T* JAXSYN_RESTRICT target = lane.acc[r];
      const T x = lane.gain[one_gain ? 0 : r];
      if (extent.width == 1) {
        const T value = static_cast<T>(ToFloat(lane.weight[r])) * x;
        for (int32_t s = begin; s < end; ++s) target[post[s]] += value;
        continue;
      }
      const Weight* JAXSYN_RESTRICT row = lane.weight + r * extent.width;
      if constexpr (std::is_same_v<T, Weight>) {
        for (int32_t s = begin; s < end; ++s) target[post[s]] += row[s] * x;
      } else {
        T values[kChunk];
        for (int32_t from = begin, n; from < end; from += n) {
          n = std::min(end - from, kChunk);
          for (int32_t i = 0; i < n; ++i) values[i] = static_cast<T>(ToFloat(row[from + i])) * x;
          for (int32_t i = 0; i < n; ++i) target[post[from + i]] += values[i];
        }
      }
    }
  }
};

// The operands and attributes of a delivery as they come; the accumulators, one for each receptor, have axes `dims`.
struct DeliverCall {
  const IntBuffer& row_ptr;
  const ffi::AnyBuffer &post, &weight, &gain;
  const IntBuffer &delays, &ids, &counts, &tick;
  Dims dims;
  ffi::DataType type;
  const Rows& acc;
  int32_t first, n_sources, threads;

  template <typename T, typename Weight, typename Index>
  ffi::Error Run() const {
    const Dims weight_dims = weight.dimensions(), ids_dims = ids.dimensions();
    const int gain_rank = static_cast<int>(gain.dimensions().size()) - static_cast<int>(dims.size()) + 1;
    Lanes<6> lanes;
    if ((gain_rank != 0 && gain_rank != 1) ||
        !lanes.Init({dims, weight_dims, gain.dimensions(), ids_dims, counts.dimensions(), tick.dimensions()},
                    {1, 2, gain_rank, 2, 1, 0})) {
      return Invalid(kBadBatch);
    }
    const Delivery<T, Weight, Index> delivery{
        GraphOf<Index>(row_ptr, post),
        Extent{FromEnd(weight_dims, 2), FromEnd(weight_dims, 1), FromEnd(dims, 1)},
        delays.typed_data(),
        static_cast<int64_t>(delays.element_count()),
        first,
        n_sources,
        gain_rank == 0};
    const auto& graph = delivery.graph;
    const auto& extent = delivery.extent;
    if (extent.width != 1 && extent.width != graph.nnz) return Invalid("jaxsyn: weight width must be 1 or nnz");
    if (delivery.Blocks() * delivery.n_delays * n_sources != graph.n_rows) {
      return Invalid("jaxsyn: row_ptr must hold one row for each block of targets, delay and source");
    }
    if (gain_rank == 1 && FromEnd(gain.dimensions(), 1) != extent.receptors) return Invalid(kBadBatch);
    const auto lane_at = [&](const Lanes<6>& at) {
      Lane<T, Weight> lane{static_cast<const Weight*>(weight.untyped_data()) + at.at[1],
                           static_cast<const T*>(gain.untyped_data()) + at.at[2],
                           Ring{ids.typed_data() + at.at[3], counts.typed_data() + at.at[4], FromEnd(ids_dims, 2),
                                FromEnd(ids_dims, 1)},
                           tick.typed_data()[at.at[5]], {}};
      for (int64_t r = 0; r < extent.receptors; ++r) lane.acc[r] = static_cast<T*>(acc[r]) + at.at[0];
      return lane;
    };
    int parts = 1;
    if (threads > 1 && lanes.total() > 1) {
      int64_t due = 0;
      for (int64_t lane = 0; lane < lanes.total(); ++lane, lanes.Next()) due += delivery.Due(lane_at(lanes));
      const int64_t synapses = due * graph.MeanRow() * extent.receptors;
      parts = PartsFor(synapses, std::min<int64_t>(threads, lanes.total()), kLaneShare);
    }
    std::atomic<bool> good{true};
    auto some_lanes = [&](int part) {
      Lanes<6> mine = lanes;
      int64_t lane = lanes.total() * part / parts;
      const int64_t end = lanes.total() * (part + 1) / parts;
      for (mine.Seek(lane); lane < end; ++lane, mine.Next()) {
        if (!delivery.RunLane(lane_at(mine), parts == 1 ? threads : 1)) good.store(false);
      }
    };
    jaxsyn::InParts(parts, some_lanes);
    return good.load() ? ffi::Error::Success() : Invalid(kBadRow);
  }

  template <typename T, typename Index>
  ffi::Error WithWeights() const {
    const ffi::DataType stored = weight.element_type();
    if (stored == type) return Run<T, T, Index>();
    if (stored == ffi::F16) return Run<T, Half, Index>();
    if (stored == ffi::BF16) return Run<T, Brain, Index>();
    if (stored == ffi::S16) return Run<T, int16_t, Index>();
    if (stored == ffi::S8) return Run<T, int8_t, Index>();
    return Invalid(kBadFormat);
  }

  template <typename T>
  ffi::Error WithTargets() const {
    if (post.element_type() == ffi::S32) return WithWeights<T, int32_t>();
    if (post.element_type() == ffi::U16) return WithWeights<T, uint16_t>();
    return Invalid(kBadFormat);
  }
};

// The accumulators, one for each receptor, are updated in place.
ffi::Error Deliver(IntBuffer row_ptr, ffi::AnyBuffer post, ffi::AnyBuffer weight, ffi::AnyBuffer gain, IntBuffer delays,
                   IntBuffer ids, IntBuffer counts, IntBuffer tick, ffi::RemainingArgs before, ffi::RemainingRets after,
                   int32_t first, int32_t n_sources, int32_t threads) {
  const size_t receptors = after.size();
  if (receptors == 0 || receptors > kMaxReceptors || before.size() != receptors ||
      static_cast<int64_t>(receptors) != FromEnd(weight.dimensions(), 2)) {
    return Invalid("jaxsyn: deliver takes one accumulator for each receptor, 1 to 64");
  }
  const ffi::DataType type = gain.element_type();
  const Dims dims = (*after.get<ffi::AnyBuffer>(0))->dimensions();
  Rows acc;
  if (!BringRows(before, after, type, acc)) return Invalid(kBadFormat);
  const DeliverCall call{row_ptr, post, weight, gain, delays, ids, counts, tick, dims, type, acc, first, n_sources, threads};
  if (type == ffi::F32) return call.WithTargets<float>();
  if (type == ffi::F64) return call.WithTargets<double>();
  return Invalid(kBadFormat);
}

// ---- emit and pack: from one byte for each neuron to indices and to bits --------------------------------------------

// Writes the first `capacity` indices of the set bytes, ascending; returns how many bytes are set.
int32_t Compact(const uint8_t* JAXSYN_RESTRICT spikes, int64_t n, int32_t* JAXSYN_RESTRICT ids, int64_t capacity) {
  int64_t count = 0;
  int64_t i = 0;
  for (; i + 64 <= n; i += 64) {
    uint64_t words[8];
    std::memcpy(words, spikes + i, sizeof(words));
    const uint64_t any = ((words[0] | words[1]) | (words[2] | words[3])) | ((words[4] | words[5]) | (words[6] | words[7]));
    if (any == 0) continue;
    for (int w = 0; w < 8; ++w) {
      for (uint64_t word = words[w]; word != 0; word &= word - 1) {
        if (count < capacity) ids[count] = static_cast<int32_t>(i + 8 * w + LowestBit(word) / 8);
        ++count;
      }
    }
  }
  for (; i < n; ++i) {
    if (spikes[i] == 0) continue;
    if (count < capacity) ids[count] = static_cast<int32_t>(i);
    ++count;
  }
  return static_cast<int32_t>(count);
}

ffi::Error Emit(BoolBuffer spikes, IntBuffer ids, IntBuffer counts, IntBuffer peak, IntBuffer tick,
                ffi::RemainingArgs after, ffi::Result<IntBuffer> ids_out, ffi::Result<IntBuffer> counts_out,
                ffi::Result<IntBuffer> peak_out) {
  (void)after;  // operands that must be ready first: an order, not a value
  const Dims spike_dims = spikes.dimensions(), ids_dims = ids.dimensions(), count_dims = counts.dimensions();
  Lanes<5> lanes;
  if (!lanes.Init({spike_dims, ids_dims, count_dims, peak.dimensions(), tick.dimensions()}, {1, 2, 1, 0, 0})) {
    return Invalid(kBadBatch);
  }
  const int64_t n = FromEnd(spike_dims, 1), n_slots = FromEnd(ids_dims, 2), capacity = FromEnd(ids_dims, 1);
  int32_t* all_ids = ids_out->typed_data();
  int32_t* all_counts = counts_out->typed_data();
  int32_t* all_peaks = peak_out->typed_data();
  if (all_ids != ids.typed_data()) std::memcpy(all_ids, ids.untyped_data(), ids.size_bytes());
  if (all_counts != counts.typed_data()) std::memcpy(all_counts, counts.untyped_data(), counts.size_bytes());
  if (all_peaks != peak.typed_data()) std::memcpy(all_peaks, peak.untyped_data(), peak.size_bytes());
  const uint8_t* bytes = static_cast<const uint8_t*>(spikes.untyped_data());
  for (int64_t lane = 0; lane < lanes.total(); ++lane, lanes.Next()) {
    const int64_t slot = SlotOf(tick.typed_data()[lanes.at[4]], n_slots);
    const int32_t count = Compact(bytes + lanes.at[0], n, all_ids + lanes.at[1] + slot * capacity, capacity);
    all_counts[lanes.at[2] + slot] = count;
    all_peaks[lanes.at[3]] = std::max(all_peaks[lanes.at[3]], count);
  }
  return ffi::Error::Success();
}

// One more for each neuron whose index stands in the slot; where the slot was too small, for each that spiked.
ffi::Error Tally(IntBuffer total, BoolBuffer spikes, IntBuffer ids, IntBuffer counts, IntBuffer tick,
                 ffi::Result<IntBuffer> total_out) {
  const Dims total_dims = total_out->dimensions(), ids_dims = ids.dimensions();
  Lanes<5> lanes;
  if (!lanes.Init({total_dims, spikes.dimensions(), ids_dims, counts.dimensions(), tick.dimensions()},
                  {1, 1, 2, 1, 0})) {
    return Invalid(kBadBatch);
  }
  const int64_t n = FromEnd(total_dims, 1), n_slots = FromEnd(ids_dims, 2), capacity = FromEnd(ids_dims, 1);
  if (FromEnd(spikes.dimensions(), 1) != n) return Invalid("jaxsyn: tally needs one spike entry for each total");
  int32_t* totals = total_out->typed_data();
  if (totals != total.typed_data()) std::memcpy(totals, total.untyped_data(), total.size_bytes());
  const uint8_t* bytes = static_cast<const uint8_t*>(spikes.untyped_data());
  for (int64_t lane = 0; lane < lanes.total(); ++lane, lanes.Next()) {
    int32_t* JAXSYN_RESTRICT own = totals + lanes.at[0];
    const int64_t slot = SlotOf(tick.typed_data()[lanes.at[4]], n_slots);
    const int64_t count = counts.typed_data()[lanes.at[3] + slot];
    if (count <= capacity) {
      const int32_t* JAXSYN_RESTRICT id = ids.typed_data() + lanes.at[2] + slot * capacity;
      for (int64_t i = 0; i < count; ++i) {
        if (static_cast<uint64_t>(id[i]) < static_cast<uint64_t>(n)) ++own[id[i]];
      }
    } else {
      for (int64_t i = 0; i < n; ++i) own[i] += bytes[lanes.at[1] + i];
    }
  }
  return ffi::Error::Success();
}

// Results alias the operands, so that nothing is left to do; XLA has to have the values in memory, computed once.
ffi::Error Settle(ffi::RemainingArgs values, ffi::RemainingRets settled) {
  for (size_t i = 0; i < settled.size(); ++i) {
    const auto value = values.get<ffi::AnyBuffer>(i);
    auto result = settled.get<ffi::AnyBuffer>(i);
    if (!value.has_value() || !result.has_value()) return Invalid("jaxsyn: settle returns what it takes");
    void* target = (*result)->untyped_data();
    if (target != value->untyped_data()) std::memcpy(target, value->untyped_data(), value->size_bytes());
  }
  return ffi::Error::Success();
}

}  // namespace

extern "C" {
// Raised with every change of an operand list, so that a library left from an earlier build is not used.
JAXSYN_EXPORT int32_t jaxsyn_kernels_version() { return 11; }
JAXSYN_EXPORT XLA_FFI_Error* jaxsyn_push(XLA_FFI_CallFrame* frame);
JAXSYN_EXPORT XLA_FFI_Error* jaxsyn_pull(XLA_FFI_CallFrame* frame);
JAXSYN_EXPORT XLA_FFI_Error* jaxsyn_outer(XLA_FFI_CallFrame* frame);
JAXSYN_EXPORT XLA_FFI_Error* jaxsyn_deliver(XLA_FFI_CallFrame* frame);
JAXSYN_EXPORT XLA_FFI_Error* jaxsyn_emit(XLA_FFI_CallFrame* frame);
JAXSYN_EXPORT XLA_FFI_Error* jaxsyn_tally(XLA_FFI_CallFrame* frame);
JAXSYN_EXPORT XLA_FFI_Error* jaxsyn_settle(XLA_FFI_CallFrame* frame);
}

#define JAXSYN_TRILINEAR(symbol, slot)                                                                            \
  XLA_FFI_DEFINE_HANDLER_SYMBOL(symbol, Trilinear<slot>,                                                          \
                                ffi::Ffi::Bind()                                                                  \
                                    .Arg<IntBuffer>()                                                             \
                                    .Arg<ffi::AnyBuffer>()                                                        \
                                    .Arg<ffi::AnyBuffer>()                                                        \
                                    .Arg<ffi::AnyBuffer>()                                                        \
                                    .Arg<ffi::AnyBuffer>()                                                        \
                                    .RemainingArgs()                                                              \
                                    .Ret<ffi::AnyBuffer>())

XLA_FFI_DEFINE_HANDLER_SYMBOL(jaxsyn_push, Push,
                              ffi::Ffi::Bind()
                                  .Arg<IntBuffer>()
                                  .Arg<ffi::AnyBuffer>()
                                  .Arg<ffi::AnyBuffer>()
                                  .Arg<ffi::AnyBuffer>()
                                  .Arg<ffi::AnyBuffer>()
                                  .RemainingArgs()
                                  .RemainingRets());

JAXSYN_TRILINEAR(jaxsyn_pull, Slot::kPull);
JAXSYN_TRILINEAR(jaxsyn_outer, Slot::kOuter);

XLA_FFI_DEFINE_HANDLER_SYMBOL(jaxsyn_deliver, Deliver,
                              ffi::Ffi::Bind()
                                  .Arg<IntBuffer>()
                                  .Arg<ffi::AnyBuffer>()
                                  .Arg<ffi::AnyBuffer>()
                                  .Arg<ffi::AnyBuffer>()
                                  .Arg<IntBuffer>()
                                  .Arg<IntBuffer>()
                                  .Arg<IntBuffer>()
                                  .Arg<IntBuffer>()
                                  .RemainingArgs()
                                  .RemainingRets()
                                  .Attr<int32_t>("first")
                                  .Attr<int32_t>("n_sources")
                                  .Attr<int32_t>("threads"));

XLA_FFI_DEFINE_HANDLER_SYMBOL(jaxsyn_emit, Emit,
                              ffi::Ffi::Bind()
                                  .Arg<BoolBuffer>()
                                  .Arg<IntBuffer>()
                                  .Arg<IntBuffer>()
                                  .Arg<IntBuffer>()
                                  .Arg<IntBuffer>()
                                  .RemainingArgs()
                                  .Ret<IntBuffer>()
                                  .Ret<IntBuffer>()
                                  .Ret<IntBuffer>());

XLA_FFI_DEFINE_HANDLER_SYMBOL(jaxsyn_tally, Tally,
                              ffi::Ffi::Bind()
                                  .Arg<IntBuffer>()
                                  .Arg<BoolBuffer>()
                                  .Arg<IntBuffer>()
                                  .Arg<IntBuffer>()
                                  .Arg<IntBuffer>()
                                  .Ret<IntBuffer>());

XLA_FFI_DEFINE_HANDLER_SYMBOL(jaxsyn_settle, Settle, ffi::Ffi::Bind().RemainingArgs().RemainingRets());
