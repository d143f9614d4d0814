// Spikes as bits, and products of spikes with dense matrices, event by event: an entry that is zero costs nothing.
//
//   product: y[r, :] = sum_i x[r, i] w[i, :]        outer: w[i, :] = sum_r x[r, i] g[r, :]
//
// x is bool, of the dtype of the matrices, or bits, 32 to a word. Sums run over ascending indices (those of `outer` in blocks of 512 rows)
// whatever the number of threads, products are rounded before they are added: the same bits on all machines. Work is
// shared with the thread pool of the computation that the call belongs to.

#include <algorithm>
#include <bitset>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <vector>

#include "products.h"
#include "share.h"
#include "xla/ffi/api/ffi.h"

namespace ffi = xla::ffi;

#if defined(_MSC_VER)
#include <intrin.h>
#define JAXSYN_EXPORT __declspec(dllexport)
#define JAXSYN_RESTRICT __restrict
#define JAXSYN_UNROLL
static inline int LowestBit(uint64_t word) {
  unsigned long index;
  _BitScanForward64(&index, word);
  return static_cast<int>(index);
}
#else
#define JAXSYN_EXPORT __attribute__((visibility("default")))
#define JAXSYN_RESTRICT __restrict__
#if defined(__clang__)
#define JAXSYN_UNROLL _Pragma("clang loop unroll(full)")
#else
#define JAXSYN_UNROLL _Pragma("GCC unroll 16")
#endif
static inline int LowestBit(uint64_t word) { return __builtin_ctzll(word); }
#endif

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(JAXSYN_PORTABLE)
#define JAXSYN_X86 1
#include <immintrin.h>
#endif

namespace {

// Rows of x in the order of the result: as stored, or with its two leading axes swapped.
template <typename S>
struct Rows {
  const S* data;
  int64_t n;       // entries of a row
  int64_t width;   // elements of S that hold them
  int64_t inner;   // size of the inner leading axis of the result
  int64_t stride;  // rows of x between two neighbours along it
  int64_t step;    // rows of x between two neighbours along the outer one

  // Walks along the rows, from one of them on.
  class Walk {
   public:
    Walk(const Rows& rows, int64_t r) : rows_(rows), left_(rows.inner - r % rows.inner), at_(rows.row(r)) {}
    const S* next() {
      const S* now = at_;
      at_ += rows_.stride * rows_.width;
      if (--left_ == 0) {
        left_ = rows_.inner;
        at_ += (rows_.step - rows_.inner * rows_.stride) * rows_.width;
      }
      return now;
    }

   private:
    const Rows& rows_;
    int64_t left_;
    const S* at_;
  };

  const S* row(int64_t r) const { return data + ((r / inner) * step + (r % inner) * stride) * width; }
};

constexpr int64_t kRowsOfBlock = 512;  // rows of g that `outer` meets while they are in the cache

// Memory of this thread for at least `size` elements; it stays, since fresh pages would cost more than the sums.
template <typename T, int kSlot>
T* Scratch(int64_t size) {
  static thread_local std::vector<T> memory;
  if (static_cast<int64_t>(memory.size()) < size) memory.resize(size);
  return memory.data();
}

// Rows and shares of entries that are not zero from which a product is dense.
constexpr int64_t kFewRows = 4;
constexpr double kDenseShare = 0.25;

#define JAXSYN_LEVEL 0
#define JAXSYN_MOST 2
#define JAXSYN_ROWS 1
namespace baseline {
#include "spike_products.inc"
}
#undef JAXSYN_LEVEL
#undef JAXSYN_MOST
#undef JAXSYN_ROWS

#if JAXSYN_X86
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#define JAXSYN_LEVEL 1
#define JAXSYN_MOST 4
#define JAXSYN_ROWS 4
namespace avx2 {
#include "spike_products.inc"
}
#undef JAXSYN_LEVEL
#undef JAXSYN_MOST
#undef JAXSYN_ROWS
#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,prefer-vector-width=512")
#define JAXSYN_LEVEL 2
#define JAXSYN_MOST 16
#define JAXSYN_ROWS 8
namespace avx512 {
#include "spike_products.inc"
}
#pragma GCC pop_options

int Level() {
  static const int level = [] {
    __builtin_cpu_init();
    const bool wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    return wide ? 2 : __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? 1 : 0;
  }();
  return level;
}
#else
int Level() { return 0; }
#endif

constexpr int64_t kWorthSharing = 1 << 14;  // entries of x below which one thread is faster
constexpr int64_t kRowsOfTask = 64, kFewestInputs = 128, kMostInputs = 1024;
constexpr int64_t kPacked = 1 << 18;  // truth values of a share of packing

#if JAXSYN_X86
#define JAXSYN_BEST(function, ...)                              \
  switch (Level()) {                                            \
    case 2: avx512::function(__VA_ARGS__); break;               \
    case 1: avx2::function(__VA_ARGS__); break;                 \
    default: baseline::function(__VA_ARGS__);                   \
  }
#else
#define JAXSYN_BEST(function, ...) baseline::function(__VA_ARGS__);
#endif

template <typename S, typename T>
void Product(ffi::ThreadPool& pool, const Rows<S>& x, const T* w, int64_t rows, int64_t m, T* y) {
  const auto work = [&](int64_t first, int64_t last) {
    JAXSYN_BEST(ProductRows, x, w, x.n, m, first, last, y)
  };
  if (rows * x.n < kWorthSharing) return work(0, rows);
  jaxsyn::Share(pool, (rows + kRowsOfTask - 1) / kRowsOfTask, [&](int64_t task) {
    work(task * kRowsOfTask, std::min(rows, (task + 1) * kRowsOfTask));
  });
}

template <typename S, typename T>
void Outer(ffi::ThreadPool& pool, const Rows<S>& x, const T* g, int64_t rows, int64_t m, T* w) {
  const int64_t n = x.n;
  const int64_t shares = 2 * std::max<int64_t>(1, pool.num_threads());
  const int64_t inputs = std::clamp<int64_t>((n / shares + 63) / 64 * 64, kFewestInputs, kMostInputs);
  const auto work = [&](int64_t first, int64_t last) {
    JAXSYN_BEST(OuterInputs, x, g, rows, m, first, last, w)
  };
  const int64_t tasks = (n + inputs - 1) / inputs;
  const auto task = [&](int64_t k) { work(k * inputs, std::min(n, (k + 1) * inputs)); };
  if (rows * n < kWorthSharing) {
    for (int64_t k = 0; k < tasks; ++k) task(k);
  } else {
    jaxsyn::Share(pool, tasks, task);
  }
}

using Dims = ffi::Span<const int64_t>;

int64_t LeadingSize(const Dims& dims) {
  int64_t size = 1;
  for (size_t d = 0; d + 1 < dims.size(); ++d) size *= dims[d];
  return size;
}

template <typename S>
Rows<S> RowsOf(const ffi::AnyBuffer& x, int64_t n, bool swap) {
  const Dims dims = x.dimensions();
  const S* data = static_cast<const S*>(x.untyped_data());
  const int64_t width = dims[dims.size() - 1];
  if (!swap) return Rows<S>{data, n, width, 1, 1, 1};
  return Rows<S>{data, n, width, dims[0], dims[1], 1};  // x is (a, b, n), the result (b, a, m)
}

// Calls function(rows of x, zero of T) for the dtypes of x and of the matrix.
template <typename T, typename Function>
ffi::Error DispatchRows(const ffi::AnyBuffer& x, int64_t n, bool swap, const Function& function) {
  const ffi::DataType kind = x.element_type(), own = std::is_same_v<T, float> ? ffi::F32 : ffi::F64;
  const int64_t width = x.dimensions()[x.dimensions().size() - 1];
  if (width != (kind == ffi::U32 ? (n + 31) / 32 : n)) return ffi::Error::InvalidArgument("jaxsyn: wrong row of x");
  if (kind == ffi::U32) return function(RowsOf<uint32_t>(x, n, swap), T());
  if (kind == ffi::PRED) return function(RowsOf<bool>(x, n, swap), T());
  if (kind == own) return function(RowsOf<T>(x, n, swap), T());
  return ffi::Error::InvalidArgument("jaxsyn: spikes must be bool, bits or of the dtype of the matrix");
}

template <typename Function>
ffi::Error Dispatch(const ffi::AnyBuffer& x, ffi::DataType type, int64_t n, bool swap, const Function& function) {
  if (swap && x.dimensions().size() != 3) return ffi::Error::InvalidArgument("jaxsyn: swap needs two leading axes");
  if (type == ffi::F32) return DispatchRows<float>(x, n, swap, function);
  if (type == ffi::F64) return DispatchRows<double>(x, n, swap, function);
  return ffi::Error::InvalidArgument("jaxsyn: the matrix must be float32 or float64");
}

ffi::Error SpikeMatmul(ffi::ThreadPool pool, ffi::AnyBuffer x, ffi::AnyBuffer w, ffi::Result<ffi::AnyBuffer> y,
                       int32_t swap) {
  const Dims dims = w.dimensions();
  if (dims.size() != 2) return ffi::Error::InvalidArgument("jaxsyn: the matrix must have two axes");
  return Dispatch(x, w.element_type(), dims[0], swap != 0, [&](const auto& rows, auto zero) {
    using T = decltype(zero);
    Product(pool, rows, static_cast<const T*>(w.untyped_data()), LeadingSize(x.dimensions()), dims[1],
            static_cast<T*>(y->untyped_data()));
    return ffi::Error::Success();
  });
}

ffi::Error SpikeOuter(ffi::ThreadPool pool, ffi::AnyBuffer x, ffi::AnyBuffer g, ffi::Result<ffi::AnyBuffer> w,
                      int32_t swap) {
  const Dims dims = g.dimensions();
  if (LeadingSize(dims) != LeadingSize(x.dimensions())) {
    return ffi::Error::InvalidArgument("jaxsyn: x and g must have equally many rows");
  }
  return Dispatch(x, g.element_type(), w->dimensions()[0], swap != 0, [&](const auto& rows, auto zero) {
    using T = decltype(zero);
    Outer(pool, rows, static_cast<const T*>(g.untyped_data()), LeadingSize(dims), dims[dims.size() - 1],
          static_cast<T*>(w->untyped_data()));
    return ffi::Error::Success();
  });
}

ffi::Error Pack(ffi::ThreadPool pool, ffi::Buffer<ffi::PRED> spikes, ffi::Result<ffi::Buffer<ffi::U32>> words) {
  const Dims dims = spikes.dimensions(), packed = words->dimensions();
  const int64_t n = dims[dims.size() - 1], width = packed[packed.size() - 1];
  if (width != (n + 31) / 32) return ffi::Error::InvalidArgument("jaxsyn: pack needs ceil(n / 32) words");
  const int64_t rows = LeadingSize(dims), share = std::max<int64_t>(1, kPacked / std::max<int64_t>(1, n));
  const auto work = [&](int64_t task) {
    const int64_t first = task * share, many = std::min(rows - first, share);
    JAXSYN_BEST(PackRows, spikes.typed_data() + first * n, n, many, words->typed_data() + first * width)
  };
  const int64_t tasks = (rows + share - 1) / share;
  if (tasks < 2) {
    for (int64_t k = 0; k < tasks; ++k) work(k);
  } else {
    jaxsyn::Share(pool, tasks, work);
  }
  return ffi::Error::Success();
}

}  // namespace

namespace jaxsyn {

void MultiplyRows(const float* x, const float* w, int64_t n, int64_t m, int64_t rows, int64_t stride, bool by_events,
                  float* y) {
  JAXSYN_BEST(MultiplyRows, x, w, n, m, rows, stride, by_events, y)
}

float GatherProducts(const float* w, const float* y, const int32_t* at, int64_t n) {
  float sum;
  JAXSYN_BEST(GatherProducts, w, y, at, n, &sum)
  return sum;
}

template <typename T>
int64_t Places(const T* x, int64_t n, bool marks, int32_t* places) {
  int64_t count;
  JAXSYN_BEST(Places, x, n, marks, places, &count)
  return count;
}

template int64_t Places(const float*, int64_t, bool, int32_t*);
template int64_t Places(const double*, int64_t, bool, int32_t*);

}  // namespace jaxsyn

extern "C" {
JAXSYN_EXPORT XLA_FFI_Error* jaxsyn_pack(XLA_FFI_CallFrame* frame);
JAXSYN_EXPORT XLA_FFI_Error* jaxsyn_spike_matmul(XLA_FFI_CallFrame* frame);
JAXSYN_EXPORT XLA_FFI_Error* jaxsyn_spike_outer(XLA_FFI_CallFrame* frame);
}

XLA_FFI_DEFINE_HANDLER_SYMBOL(jaxsyn_pack, Pack,
                              ffi::Ffi::Bind()
                                  .Ctx<ffi::ThreadPool>()
                                  .Arg<ffi::Buffer<ffi::PRED>>()
                                  .Ret<ffi::Buffer<ffi::U32>>());

XLA_FFI_DEFINE_HANDLER_SYMBOL(jaxsyn_spike_matmul, SpikeMatmul,
                              ffi::Ffi::Bind()
                                  .Ctx<ffi::ThreadPool>()
                                  .Arg<ffi::AnyBuffer>()
                                  .Arg<ffi::AnyBuffer>()
                                  .Ret<ffi::AnyBuffer>()
                                  .Attr<int32_t>("swap"));

XLA_FFI_DEFINE_HANDLER_SYMBOL(jaxsyn_spike_outer, SpikeOuter,
                              ffi::Ffi::Bind()
                                  .Ctx<ffi::ThreadPool>()
                                  .Arg<ffi::AnyBuffer>()
                                  .Arg<ffi::AnyBuffer>()
                                  .Ret<ffi::AnyBuffer>()
                                  .Attr<int32_t>("swap"));
