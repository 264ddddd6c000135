/**
 * What the tests of a storage share: short ways to make ledgers and entries, and
 * to say what is in them.
 */
import type { Vitest } from "@effect/vitest"
import { EntryId, LedgerId, LedgerStorage, type LedgerStorageError } from "@effect-bookie/ledger-storage"
import { Effect, Random, Stream } from "effect"

/** The tests of a storage. */
export type It = Vitest.MethodsNonLive<LedgerStorage.LedgerStorage>

/** The service. */
export type Storage = LedgerStorage.LedgerStorage["Service"]

type Error = LedgerStorageError.LedgerStorageError

/** A new ledger in the storage of the test, with some entries. */
export const newLedger: (
  ...texts: ReadonlyArray<string>
) => Effect.Effect<
  { readonly storage: Storage; readonly ledgerId: LedgerId.LedgerId },
  Error,
  LedgerStorage.LedgerStorage
> = Effect.fnUntraced(function* (...texts: ReadonlyArray<string>) {
  const storage = yield* LedgerStorage.LedgerStorage
  const { ledgerId } = yield* storage.createLedger()
  if (texts.length > 0) yield* storage.appendAll(ledgerId, texts.map(bytes))
  return { storage, ledgerId }
})

/** An id that no ledger has, as good as surely. */
export const unusedLedgerId: Effect.Effect<LedgerId.LedgerId> = Effect.map(
  Random.nextIntBetween(2 ** 40, 2 ** 52),
  (id) => LedgerId.make(BigInt(id))
)

/** The id of an entry. */
export const id = (entryId: number): EntryId.EntryId => EntryId.make(BigInt(entryId))

/** The ids of so many entries, from the first. */
export const ids = (count: number): ReadonlyArray<EntryId.EntryId> =>
  Array.from({ length: count }, (_, index) => id(index))

/** The bytes of a text. */
export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

/** The text of some bytes. */
export const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

/** Bytes that differ with their seed and with their place. */
export const blob = (length: number, seed = 0): Uint8Array =>
  new Uint8Array(length).map((_, index) => (seed * 31 + index * 7 + (index >> 8)) & 0xff)

/** Texts `prefix0`, `prefix1`, … */
export const numbered = (prefix: string, count: number): ReadonlyArray<string> =>
  Array.from({ length: count }, (_, index) => `${prefix}${index}`)

/** An entry as `id=text`. */
export const pair = ({ entryId, payload }: LedgerStorage.Entry): string => `${entryId}=${text(payload)}`

/** Texts as the entries of a ledger, from an id on: `0=a`, `1=b`, … */
export const pairs = (texts: ReadonlyArray<string>, from = 0): ReadonlyArray<string> =>
  texts.map((value, index) => `${from + index}=${value}`)

/** The entries of a stream as `id=text`. */
export const pairsOf = <E, R>(stream: Stream.Stream<LedgerStorage.Entry, E, R>): Effect.Effect<Array<string>, E, R> =>
  Effect.map(Stream.runCollect(stream), (entries) => entries.map(pair))

/** The reason for which an effect fails; a success is a defect. */
export const reasonOf = <A, R>(self: Effect.Effect<A, Error, R>): Effect.Effect<LedgerStorageError.Reason, never, R> =>
  Effect.matchEffect(self, {
    onFailure: (error) => Effect.succeed(error.reason),
    onSuccess: () => Effect.die(new Error("expected a failure"))
  })

/** The tag of the reason for which an effect fails. */
export const tagOf = <A, R>(
  self: Effect.Effect<A, Error, R>
): Effect.Effect<LedgerStorageError.Reason["_tag"], never, R> => Effect.map(reasonOf(self), ({ _tag }) => _tag)

/** How an effect ends: with its answer, or with the tag of the reason for which it fails. */
export const endOf = <A, R>(
  self: Effect.Effect<A, Error, R>
): Effect.Effect<A | LedgerStorageError.Reason["_tag"], never, R> =>
  Effect.match(self, { onSuccess: (value) => value, onFailure: ({ reason }) => reason._tag })
