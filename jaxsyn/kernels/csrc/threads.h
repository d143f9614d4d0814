// A few worker threads for kernels whose work is worth sharing.
//
// Only one caller has the workers at a time; another one meanwhile, or a task that asks again, does its parts alone. A
// part that no worker has begun is done by the caller, so that a worker that is late, asleep or was never started costs
// time and nothing else. What a part computes must not depend on who computes it.

#ifndef JAXSYN_THREADS_H_
#define JAXSYN_THREADS_H_

namespace jaxsyn {

using Task = void (*)(void* context, int part);

// Calls task(context, part) once for each part from 0 to parts - 1, on this thread and at most parts - 1 workers, with
// the rounding and denormal modes of this thread; returns when all are done.
void RunParts(int parts, Task task, void* context);

template <typename Function>
void InParts(int parts, Function& function) {
  RunParts(parts, [](void* context, int part) { (*static_cast<Function*>(context))(part); }, &function);
}

}  // namespace jaxsyn

#endif  // JAXSYN_THREADS_H_
