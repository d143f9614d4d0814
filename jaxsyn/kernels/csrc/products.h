// Products of rows with a matrix, for kernels that need them between steps of their own.

#ifndef JAXSYN_PRODUCTS_H_
#define JAXSYN_PRODUCTS_H_

#include <cstdint>

namespace jaxsyn {

// y[r, :] = sum_i x[r, i] w[i, :] for rows of n and m entries that begin `stride` apart, on this thread. Entries of x
// that are zero cost nothing where there are few of them and `by_events` says that it is worth a look.
void MultiplyRows(const float* x, const float* w, int64_t n, int64_t m, int64_t rows, int64_t stride, bool by_events,
                  float* y);

}  // namespace jaxsyn

#endif  // JAXSYN_PRODUCTS_H_
