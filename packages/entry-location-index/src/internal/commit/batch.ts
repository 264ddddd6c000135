/**
 * Changes that are gathered one by one, and committed together.
 *
 * The commits of one batch follow one another, also where those who ask for them
 * do not wait, or leave: so what was added later is written later, and what a
 * commit could not add is in the batch again, before all that was added since.
 */
import type { RocksDB, RocksDBError } from "@effect-bookie/rocksdb"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { Batch, CommitOptions } from "../../EntryLocationIndex.ts"
import * as Arguments from "../arguments.ts"
import { WriteBatch } from "../WriteBatch.ts"
import type { Gate } from "../Gate.ts"
import * as CallerRecords from "../CallerRecords.ts"

type Answer<A> = Effect.Effect<A, RocksDBError.RocksDBError>

/** Makes an empty batch, which is committed by `submit`. */
export const make = (
  gate: Gate,
  submit: (changes: WriteBatch, durability: RocksDB.Durability | undefined) => Answer<void>
): Batch => {
  let changes = new WriteBatch()
  /** What an earlier commit has left, whose room is used again. */
  let spare: WriteBatch | undefined
  let firstProblem: string | undefined
  let underWay: Fiber.Fiber<void, RocksDBError.RocksDBError> | undefined

  const commitAll = (durability: RocksDB.Durability | undefined) =>
    Effect.suspend(() => {
      const taken = changes
      changes = spare ?? new WriteBatch()
      spare = undefined
      return Effect.onExit(submit(taken, durability), (exit) =>
        Effect.sync(() => {
          if (Exit.isFailure(exit)) {
            changes = WriteBatch.merge([taken, changes])
          } else {
            taken.clear()
            spare = taken
          }
        })
      )
    })

  const commitWith = (options: CommitOptions | undefined): Answer<void> =>
    Effect.contextWith((context: Context.Context<never>) => {
      if (underWay !== undefined) return Effect.andThen(Fiber.await(underWay), commitWith(options))
      if (firstProblem !== undefined) return gate.refuseArgument("commit", firstProblem)
      const durability = durabilityOf(options)
      if (typeof durability === "object") return gate.refuseArgument("commit", durability.problem)
      // In a fiber of its own, so that its end is known to the batch if the caller has left.
      const fiber = Effect.runForkWith(context)(commitAll(durability))
      underWay = fiber
      fiber.addObserver(() => {
        underWay = undefined
      })
      return Fiber.join(fiber)
    })

  /** Takes something into the changes, unless there is a problem with it, or has been before. */
  const take = (problem: string | undefined, into: (changes: WriteBatch) => void): void => {
    firstProblem ??= problem
    if (firstProblem === undefined) into(changes)
  }

  return {
    get size() {
      return changes.size + changes.records.length
    },
    add: (ledgerId, entryId, location) => {
      firstProblem ??= Arguments.checkLocation(ledgerId, entryId, location)
      if (firstProblem === undefined) changes.add(ledgerId, entryId, location)
    },
    deleteLedger: (ledgerId) => take(Arguments.checkLedgerId(ledgerId), (changes) => changes.deleteLedger(ledgerId)),
    put: (key, value) =>
      take(CallerRecords.checkKey(key) ?? CallerRecords.checkValue(value), ({ records }) =>
        records.push({ type: "put", key: new Uint8Array(key), value: new Uint8Array(value) })
      ),
    remove: (key) =>
      take(CallerRecords.checkKey(key), ({ records }) => records.push({ type: "remove", key: new Uint8Array(key) })),
    removeRange: ({ gte, lt }) =>
      take(CallerRecords.checkKey(gte) ?? CallerRecords.checkKey(lt), ({ records }) =>
        records.push({ type: "removeRange", gte: new Uint8Array(gte), lt: new Uint8Array(lt) })
      ),
    commit: commitWith(undefined),
    commitWith
  }
}

/** When a commit is to be acknowledged, by default as the index says; or what is wrong with the options. */
export const durabilityOf = (
  options: CommitOptions = {}
): RocksDB.Durability | undefined | { readonly problem: string } => {
  if (!Arguments.isObject(options))
    return { problem: `the options must be an object, not ${Arguments.describe(options)}` }
  const { durability } = options
  return durability === undefined || durability === "sync" || durability === "buffered"
    ? durability
    : { problem: `durability must be "sync" or "buffered", not ${Arguments.describe(durability)}` }
}
