/**
 * What a bookie does, as a row of operations that a seed and their numbers
 * decide: so whoever knows how far a process came knows what it must hold.
 *
 * Every payload says which operation wrote it, and all of its bytes follow from
 * that: bytes that are wrong, or of another entry, cannot pass for right ones.
 * A ledger that has been deleted is never written to again.
 */
import { EntryId, type EntryLog, LedgerId } from "@effect-bookie/entry-log"
import * as Random from "../harness/Random.ts"

/** Entries that are added together, to one ledger. */
export type Batch = ReadonlyArray<EntryLog.Entry>

/** One step of a bookie. */
export type Operation =
  /** Batches that are added at the same time, each to another ledger: appended, synced, indexed. */
  | { readonly type: "add"; readonly batches: ReadonlyArray<Batch> }
  | { readonly type: "delete"; readonly ledgerId: LedgerId.LedgerId }
  | { readonly type: "compact" }
  /** The index is closed, rebuilt from the logs without the deleted ledgers, and opened again. */
  | { readonly type: "rebuild" }

/** The operation of a number. */
export const operation = (seed: number, number: number): Operation => {
  const random = Random.make(Math.imul(seed + 1, 0x9e37_79b1) ^ Math.imul(number + 1, 0x85eb_ca6b))
  const generation = Math.floor(number / generationLength)
  switch (number % generationLength) {
    case 7:
    case 15:
    case 23:
      return { type: "delete", ledgerId: ledgerOf(Math.max(0, generation - 1 - random.below(2)), random.below(3)) }
    case 11:
      return { type: "compact" }
    case placeOfRebuild:
      return { type: "rebuild" }
    default: {
      const batches = random.oneIn(3) ? 3 : 1
      const first = random.below(3)
      return {
        type: "add",
        batches: Array.from({ length: batches }, (_, at) =>
          batch(seed, number, ledgerOf(generation + 1, (first + at) % 3), random)
        )
      }
    }
  }
}

/** The number of the first rebuild from a number on. */
export const nextRebuild = (from: number): number =>
  from + ((placeOfRebuild - (from % generationLength) + generationLength) % generationLength)

/** The ledgers that the operations before a number have deleted. */
export const deletedBefore = (seed: number, number: number): ReadonlySet<bigint> => {
  const deleted = new Set<bigint>()
  for (let before = 0; before < number; before++) {
    const step = operation(seed, before)
    if (step.type === "delete") deleted.add(step.ledgerId)
  }
  return deleted
}

/** The payload that an operation writes for an entry. */
export const payloadOf = (
  seed: number,
  number: number,
  ledgerId: LedgerId.LedgerId,
  entryId: EntryId.EntryId
): Uint8Array => {
  const random = Random.make(
    Math.imul(seed, 31) ^ Math.imul(number, 0x0100_0193) ^ Number(BigInt.asIntN(32, ledgerId * 7919n + entryId))
  )
  const payload = new Uint8Array(4 + random.below(random.oneIn(50) ? 6000 : 160))
  new DataView(payload.buffer).setUint32(0, number)
  for (let at = 4; at < payload.length; at++) payload[at] = random.below(256)
  return payload
}

/** Which operation wrote a payload, or `undefined` if none wrote these bytes for this entry. */
export const writerOf = (
  seed: number,
  ledgerId: LedgerId.LedgerId,
  entryId: EntryId.EntryId,
  payload: Uint8Array
): number | undefined => {
  if (payload.length < 4) return undefined
  const number = new DataView(payload.buffer, payload.byteOffset).getUint32(0)
  const written = payloadOf(seed, number, ledgerId, entryId)
  return Buffer.compare(written, payload) === 0 ? number : undefined
}

/** How many operations share their ledgers. */
const generationLength = 24

/** Which of them is a rebuild. */
const placeOfRebuild = 20

/** Ids over the whole range: small ones, those beside 2^32 and 2^53, and the largest. */
const bases: readonly [bigint, ...ReadonlyArray<bigint>] = [0n, 1n << 32n, (1n << 53n) - 100n, (1n << 63n) - 4096n]

const ledgerOf = (generation: number, place: number): LedgerId.LedgerId =>
  LedgerId.make((bases[generation % bases.length] ?? 0n) + BigInt(3 * (generation % 1000) + place))

const batch = (seed: number, number: number, ledgerId: LedgerId.LedgerId, random: Random.Random): Batch => {
  const length = 1 + random.below(random.oneIn(8) ? 300 : 40)
  const base = random.pick(bases) === 0n ? 0n : (1n << 63n) - 1n - 2000n
  const start = random.below(600)
  const step = 1 + random.below(3)
  return Array.from({ length }, (_, at) => {
    const entryId = EntryId.make(base + BigInt(start + at * step))
    return { ledgerId, entryId, payload: payloadOf(seed, number, ledgerId, entryId) }
  })
}
