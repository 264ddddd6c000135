/**
 * Reads many entries by their locations, in the order of the logs: neighbours
 * come in one large read, whatever the order they were asked for in.
 *
 * - A read spans entries of one log as long as little lies between them, up to
 *   `maxSpan`. How large the last one is shows when it has been read; what is
 *   missing of it is read alone.
 * - Some reads run at once, each into memory that it uses again, if it is small;
 *   bodies are copied from there, many into one piece. The bodies of a large read
 *   share its memory.
 */
import { markAsUntransferable } from "node:worker_threads"
import * as EntryLogError from "../EntryLogError.ts"
import * as Location from "../Location.ts"
import type { EntryKey } from "../EntryLog.ts"
import type { Descriptors } from "./Descriptors.ts"
import { logPath } from "./directory.ts"
import * as Files from "./files.ts"
import * as Format from "./format.ts"
import type { Settings } from "./options.ts"

/** The bodies of entries, in the order of the keys; `undefined` where the entry is not at its location. */
export const readBodies = async (
  settings: Settings,
  descriptors: Descriptors,
  keys: ReadonlyArray<EntryKey>
): Promise<ReadonlyArray<Uint8Array | undefined>> => {
  const bodies = Array.from(keys, (): Uint8Array | undefined => undefined)
  const spans = spansOf(keys)
  let next = 0
  const slab = new Slab()
  const reader = async (): Promise<void> => {
    const small = Buffer.allocUnsafe(smallRead)
    for (let span = spans[next++]; span !== undefined; span = spans[next++]) {
      await readSpan(settings, descriptors, keys, span, span.length > smallRead ? undefined : { small, slab }, bodies)
    }
  }
  // Small reads wait in a row for the threads that do them, so that these need not be woken for each.
  const largest = spans.reduce((length, span) => Math.max(length, span.length), 1)
  const readers = Math.min(mostReaders, Math.max(leastReaders, Math.floor(bytesInFlight / largest)), spans.length)
  // None is left at work when this answers, also where one has failed.
  const ended = await Promise.allSettled(Array.from({ length: readers }, reader))
  for (const end of ended) if (end.status === "rejected") throw end.reason
  return bodies
}

/** Entries of one log that are read together. */
interface Span {
  readonly logId: number
  /** Where to begin, and how many bytes to read. */
  readonly start: number
  readonly length: number
  /** Where the key of each is, and its position, ascending. */
  readonly indices: ReadonlyArray<number>
  readonly positions: ReadonlyArray<number>
}

const spansOf = (keys: ReadonlyArray<EntryKey>): ReadonlyArray<Span> => {
  // As numbers: a location has 63 bits, and only the order within one log needs all 32 of its position.
  const logIds = Float64Array.from(keys, ({ location }) => Location.logId(location))
  const positions = Float64Array.from(keys, ({ location }) => Location.position(location))
  const order = Uint32Array.from(keys, (_, index) => index)
  const compare = (left: number, right: number): number =>
    at(logIds, left) - at(logIds, right) || at(positions, left) - at(positions, right)
  if (order.some((index) => index > 0 && compare(index - 1, index) > 0)) order.sort(compare)
  const spans: Array<Span> = []
  for (let from = 0; from < order.length;) {
    const logId = at(logIds, order[from] ?? 0)
    const first = at(positions, order[from] ?? 0)
    let last = first
    let to = from + 1
    for (; to < order.length; to += 1) {
      const index = order[to] ?? 0
      const position = at(positions, index)
      if (at(logIds, index) !== logId || position - last > maxGap || position - first > maxSpan) break
      last = position
    }
    const indices = Array.from(order.subarray(from, to))
    // The last one is taken to be as large as those before it.
    const guess = to - from > 1 ? Math.max(guessedSize, Math.ceil((last - first) / (to - from - 1))) : guessedSize
    spans.push({
      logId,
      start: first - Format.sizeFieldSize,
      length: last - first + guess,
      indices,
      positions: indices.map((index) => at(positions, index))
    })
    from = to
  }
  return spans
}

const at = (values: Float64Array, index: number): number => values[index] ?? 0

const readSpan = async (
  settings: Settings,
  descriptors: Descriptors,
  keys: ReadonlyArray<EntryKey>,
  span: Span,
  reused: { readonly small: Buffer; readonly slab: Slab } | undefined,
  bodies: Array<Uint8Array | undefined>
): Promise<void> => {
  const { logId, start } = span
  const read = async (descriptor: number): Promise<void> => {
    const begin = Math.max(start, 0)
    const buffer = reused === undefined ? untransferable(span.length) : reused.small.subarray(0, span.length)
    const count = await Files.read(descriptor, buffer, begin)
    for (const [number, index] of span.indices.entries()) {
      const key = keys[index]
      const position = span.positions[number] ?? 0
      const offset = position - Format.sizeFieldSize - begin
      if (key === undefined || position < Format.headerSize + Format.sizeFieldSize) continue
      if (offset + Format.entryHeaderSize > count) continue
      if (!isAt(key, buffer, offset)) continue
      const size = buffer.readInt32BE(offset)
      const where = () => ({ operation: "readBodies", path: logPath(settings.directory, logId) })
      checkSize(settings, where, position, size)
      const from = offset + Format.sizeFieldSize
      if (from + size > count) {
        bodies[index] = await readRest(descriptor, where, buffer.subarray(from, count), position, size)
      } else if (reused === undefined) {
        bodies[index] = new Uint8Array(buffer.buffer, buffer.byteOffset + from, size)
      } else {
        bodies[index] = reused.slab.copy(buffer, from, size)
      }
    }
  }
  try {
    await descriptors.use("readBodies", logId, read)
  } catch (cause) {
    if (!EntryLogError.hasReason(cause, "NotFound")) throw cause
  }
}

const isAt = ({ entryId, ledgerId }: EntryKey, buffer: Buffer, offset: number): boolean =>
  buffer.readBigInt64BE(offset + 4) === ledgerId && buffer.readBigInt64BE(offset + 12) === entryId

/** Where an error is, if there is one. */
interface Where {
  (): EntryLogError.Where
}

const checkSize = ({ maxEntrySize }: Settings, where: Where, position: number, size: number): void => {
  if (size >= Format.idsSize && size <= maxEntrySize) return
  throw EntryLogError.corruption(
    `the entry at byte ${position} has a size of ${size}; it must be from ${Format.idsSize} to ${maxEntrySize}, which ` +
      `is maxEntrySize`,
    where()
  )
}

/** A body of which the beginning has been read. Nothing is allocated for one that runs past the end of the file. */
const readRest = async (
  descriptor: number,
  where: Where,
  beginning: Uint8Array,
  position: number,
  size: number
): Promise<Uint8Array> => {
  const cutOff = () => EntryLogError.corruption(`the entry at byte ${position} runs past the end of the file`, where())
  if (position + size > (await Files.sizeOf(descriptor))) throw cutOff()
  const body = new Uint8Array(size)
  body.set(beginning)
  const rest = body.subarray(beginning.length)
  if ((await Files.read(descriptor, rest, position + beginning.length)) < rest.length) throw cutOff()
  return body
}

/** Memory for bodies, many in one piece. */
class Slab {
  #bytes: Buffer = Buffer.alloc(0)
  #used = 0

  /** A copy of some bytes of a small read. */
  copy(from: Buffer, start: number, size: number): Uint8Array {
    if (this.#used + size > this.#bytes.length) {
      this.#bytes = untransferable(slabSize)
      this.#used = 0
    }
    const body = new Uint8Array(this.#bytes.buffer, this.#bytes.byteOffset + this.#used, size)
    body.set(from.subarray(start, start + size))
    this.#used += size
    return body
  }
}

/** Memory that many have a part of, so that it must not be transferred away by one of them. */
const untransferable = (size: number): Buffer<ArrayBuffer> => {
  const bytes = Buffer.allocUnsafeSlow(size)
  markAsUntransferable(bytes.buffer)
  return bytes
}

/** In bytes: reads up to this size are copied from, into pieces of that size. */
const smallRead = 16 * 1024
const slabSize = 64 * 1024

/** In bytes: how far apart two entries may begin that are read together. */
const maxGap = 16 * 1024

/** In bytes: how far apart the first and the last one may begin. */
const maxSpan = 1024 * 1024

/** In bytes. Small entries, which are most, come whole. */
const guessedSize = 4096

/** How many reads run at once, and how many bytes these are about. */
const leastReaders = 4
const mostReaders = 64
const bytesInFlight = 4 * 1024 * 1024
