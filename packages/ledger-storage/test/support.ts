/**
 * What the tests of this package share.
 */
import { EntryId, LedgerId, type LedgerStorageError } from "@effect-bookie/ledger-storage"
import { Effect, Schema } from "effect"
import * as EntryFrame from "../src/internal/format/EntryFrame.ts"

/** An id of a ledger. */
export const ledger = (id: number | bigint): LedgerId.LedgerId => LedgerId.make(BigInt(id))

/** An id of an entry. */
export const entry = (id: number | bigint): EntryId.EntryId => EntryId.make(BigInt(id))

/** The bytes of a text. */
export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

/** The text of some bytes. */
export const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

/** The view of some bytes. */
export const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length)

/** The frames of payloads, as consecutive entries of a ledger of which so many bytes come before. */
export const framesOf = (
  ledgerId: LedgerId.LedgerId,
  from: bigint,
  payloads: ReadonlyArray<Uint8Array>,
  lengthBefore = 0n
): Uint8Array => {
  const frames = new Uint8Array(payloads.reduce((size, payload) => size + EntryFrame.frameSize(payload), 0))
  const view = viewOf(frames)
  let offset = 0
  let length = lengthBefore
  payloads.forEach((payload, index) => {
    length += BigInt(payload.length)
    const end = EntryFrame.putPayload(frames, view, offset, payload)
    EntryFrame.putHeader(frames, view, offset, ledgerId, from + BigInt(index), length)
    offset = end
  })
  return frames
}

/** Splits frames into bodies. */
export const bodiesOf = (frames: Uint8Array): ReadonlyArray<Uint8Array> => {
  const bodies: Array<Uint8Array> = []
  for (let offset = 0; offset < frames.length;) {
    const size = EntryFrame.frameSizeAt(viewOf(frames), offset)
    bodies.push(frames.subarray(offset + EntryFrame.sizeFieldSize, offset + size))
    offset += size
  }
  return bodies
}

/** A ledger id, small or at an end of the range. */
export const AnyLedgerId = Schema.Literals([0n, 1n, 2n, 255n, 2n ** 32n, 2n ** 53n + 1n, 2n ** 63n - 1n])

/** The length of a payload. */
export const AnySize = Schema.Literals([0, 1, 2, 31, 32, 33, 100, 1024, 5000])

/** Bytes that differ with their seed and with their place. */
export const blob = (length: number, seed = 0): Uint8Array =>
  new Uint8Array(length).map((_, index) => (seed * 31 + index * 7 + (index >> 8)) & 0xff)

/** The reason for which an effect fails; a success is a defect. */
export const reasonOf = <A, R>(
  self: Effect.Effect<A, LedgerStorageError.LedgerStorageError, R>
): Effect.Effect<LedgerStorageError.Reason, never, R> =>
  Effect.matchEffect(self, {
    onFailure: (error) => Effect.succeed(error.reason),
    onSuccess: () => Effect.die(new Error("expected a failure"))
  })

/** The tag of the reason for which an effect fails. */
export const tagOf = <A, R>(
  self: Effect.Effect<A, LedgerStorageError.LedgerStorageError, R>
): Effect.Effect<LedgerStorageError.Reason["_tag"], never, R> => Effect.map(reasonOf(self), ({ _tag }) => _tag)
