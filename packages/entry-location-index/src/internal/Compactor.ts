/**
 * Gives back the room of deleted ledgers, in the background.
 *
 * A round writes what the memtables hold into pages, so that those of the
 * ledgers that were deleted since the round before are gone, and compacts where
 * they were; there is at most one an interval. The ledgers are kept as a bounded
 * number of spans of ids: when there are more, the two nearest become one. A
 * compaction that fails is logged. On release the round under way ends after
 * the compaction that runs, which RocksDB waits for.
 */
import type { RocksDBError } from "@effect-bookie/rocksdb"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type * as Scope from "effect/Scope"
import * as Keys from "./keys.ts"
import type { Store } from "./Store.ts"

/** Is told which ledgers have been deleted. */
export interface Compactor {
  readonly add: (ledgerIds: ReadonlyArray<bigint>) => void
}

/** Ledger ids from `first` to `last`, both included. */
export interface Span {
  readonly first: bigint
  readonly last: bigint
}

/** Makes a compactor in the current scope. */
export const make: (store: Store, interval: Duration.Duration) => Effect.Effect<Compactor, never, Scope.Scope> =
  Effect.fnUntraced(function* (store: Store, interval: Duration.Duration) {
    const waiting = Latch.makeUnsafe()
    let spans: ReadonlyArray<Span> = []
    const round = Effect.suspend(() => {
      const taken = spans
      spans = []
      waiting.closeUnsafe()
      return logged("The pages of deleted ledgers are still there", store.flush).pipe(
        Effect.andThen(
          Effect.forEach(
            taken,
            ({ first, last }) =>
              logged(
                `The room of deleted ledgers ${first} to ${last} is not given back`,
                store.database.compact(Keys.pagesOf(first, last))
              ),
            { discard: true }
          )
        )
      )
    })
    yield* waiting.await.pipe(
      Effect.andThen(Effect.sleep(interval)),
      Effect.andThen(round),
      Effect.forever,
      Effect.forkScoped
    )
    return {
      add: (ledgerIds) => {
        if (ledgerIds.length === 0) return
        for (const ledgerId of ledgerIds) spans = addToSpans(spans, ledgerId)
        waiting.openUnsafe()
      }
    }
  })

/** Adds a ledger to spans that are in order and do not touch, and keeps them so. */
export const addToSpans = (spans: ReadonlyArray<Span>, ledgerId: bigint): ReadonlyArray<Span> => {
  const before = spans.filter(({ last }) => last < ledgerId - 1n)
  const after = spans.filter(({ first }) => first > ledgerId + 1n)
  const touching = spans.slice(before.length, spans.length - after.length)
  const span: Span = {
    first: least(ledgerId, touching[0]?.first),
    last: greatest(ledgerId, touching.at(-1)?.last)
  }
  const all = [...before, span, ...after]
  return all.length > maxSpans ? joinNearest(all) : all
}

/** How many spans there are at most. */
export const maxSpans = 16

const joinNearest = (spans: ReadonlyArray<Span>): ReadonlyArray<Span> => {
  let nearest = 1
  for (let at = 2; at < spans.length; at++) if (gap(spans, at) < gap(spans, nearest)) nearest = at
  const left = spans[nearest - 1]
  const right = spans[nearest]
  if (left === undefined || right === undefined) return spans
  return [...spans.slice(0, nearest - 1), { first: left.first, last: right.last }, ...spans.slice(nearest + 1)]
}

/** How far a span is from the one before it. */
const gap = (spans: ReadonlyArray<Span>, at: number): bigint => (spans[at]?.first ?? 0n) - (spans[at - 1]?.last ?? 0n)

const least = (left: bigint, right: bigint | undefined): bigint => (right !== undefined && right < left ? right : left)

const greatest = (left: bigint, right: bigint | undefined): bigint =>
  right !== undefined && right > left ? right : left

const logged = (problem: string, self: Effect.Effect<void, RocksDBError.RocksDBError>): Effect.Effect<void> =>
  Effect.catch(self, ({ message }) => Effect.logWarning(`${problem}: ${message}`))
