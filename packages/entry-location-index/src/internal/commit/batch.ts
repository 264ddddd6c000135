/**
 * Entries that are gathered one by one, and committed together.
 *
 * The commits of one batch follow one another, also where those who ask for them
 * do not wait, or leave: so what was added later is written later, and what a
 * commit could not add is in the batch again, before all that was added since.
 */
import type { RocksDBError } from "@effect-bookie/rocksdb"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { Batch } from "../../EntryLocationIndex.ts"
import * as Arguments from "../arguments.ts"
import { Changes } from "../Changes.ts"
import type { Gate } from "../Gate.ts"

type Answer<A> = Effect.Effect<A, RocksDBError.RocksDBError>

/** Makes an empty batch, which is committed by `submit`. */
export const make = (gate: Gate, submit: (changes: Changes) => Answer<void>): Batch => {
  let changes = new Changes()
  /** What an earlier commit has left, whose room is used again. */
  let spare: Changes | undefined
  let firstProblem: string | undefined
  let underWay: Fiber.Fiber<void, RocksDBError.RocksDBError> | undefined

  const commitAll = Effect.suspend(() => {
    const taken = changes
    changes = spare ?? new Changes()
    spare = undefined
    return Effect.onExit(submit(taken), (exit) =>
      Effect.sync(() => {
        if (Exit.isFailure(exit)) {
          changes = Changes.merge([taken, changes])
        } else {
          taken.clear()
          spare = taken
        }
      })
    )
  })

  const commit: Answer<void> = Effect.contextWith((context: Context.Context<never>) => {
    if (underWay !== undefined) return Effect.andThen(Fiber.await(underWay), commit)
    if (firstProblem !== undefined) return gate.refuseArgument("commit", firstProblem)
    // In a fiber of its own, so that its end is known to the batch if the caller has left.
    const fiber = Effect.runForkWith(context)(commitAll)
    underWay = fiber
    fiber.addObserver(() => {
      underWay = undefined
    })
    return Fiber.join(fiber)
  })

  return {
    get size() {
      return changes.size
    },
    add: (ledgerId, entryId, location) => {
      firstProblem ??= Arguments.checkLocation(ledgerId, entryId, location)
      if (firstProblem === undefined) changes.add(ledgerId, entryId, location)
    },
    commit
  }
}
