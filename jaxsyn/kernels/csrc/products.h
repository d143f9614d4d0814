// Parts of other kernels, on the thread that calls them, by the best loops for the machine.

#ifndef JAXSYN_PRODUCTS_H_
#define JAXSYN_PRODUCTS_H_

#include <cstdint>

namespace jaxsyn {

// y[r, :] = sum_i x[r, i] w[i, :] for rows of n and m entries that begin `stride` apart. Entries of x that are zero
// cost nothing where there are few of them and `by_events` says that it is worth a look.
void MultiplyRows(const float* x, const float* w, int64_t n, int64_t m, int64_t rows, int64_t stride, bool by_events,
                  float* y);

// sum_i w[i] y[at[i]] of n terms: every sixteenth in a sum of its own, these then in pairs. The same bits everywhere.
float GatherProducts(const float* w, const float* y, const int32_t* at, int64_t n);

// Writes the places of those of n entries that are not zero, ascending, or of marks that are not -0.0; how many.
template <typename T>
int64_t Places(const T* x, int64_t n, bool marks, int32_t* places);

}  // namespace jaxsyn

#endif  // JAXSYN_PRODUCTS_H_
