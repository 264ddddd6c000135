/**
 * Reads one entry by its location, in one read where it is small.
 *
 * The ids decide first: where they are not the ones asked for, the location is
 * wrong; where they are, a size that cannot be is corruption. Nothing is
 * allocated for a size above the largest entry, or past the end of the file.
 */
import type { EntryId } from "../EntryId.ts"
import * as EntryLogError from "../EntryLogError.ts"
import type { LedgerId } from "../LedgerId.ts"
import * as Location from "../Location.ts"
import type { Descriptors } from "./Descriptors.ts"
import { logPath } from "./directory.ts"
import * as Files from "./files.ts"
import * as Format from "./format.ts"
import type { Settings } from "./options.ts"

/** The payload of the entry at a location. */
export const readEntry = (
  { directory, maxEntrySize }: Settings,
  descriptors: Descriptors,
  ledgerId: LedgerId,
  entryId: EntryId,
  location: Location.Location
): Promise<Uint8Array> => {
  const logId = Location.logId(location)
  const position = Location.position(location)
  const where = { operation: "read", path: logPath(directory, logId) }
  return descriptors.use("read", logId, async (descriptor) => {
    const start = position - Format.sizeFieldSize
    const first = Buffer.allocUnsafe(firstReadSize)
    const count = start < Format.headerSize ? 0 : await Files.read(descriptor, first, start, Format.entryHeaderSize)
    if (count < Format.entryHeaderSize) throw EntryLogError.notFound(`there is no entry at byte ${position}`, where)

    const foundLedgerId = first.readBigInt64BE(4)
    const foundEntryId = first.readBigInt64BE(12)
    if (foundLedgerId !== ledgerId || foundEntryId !== entryId) {
      throw EntryLogError.wrongEntry(
        `at byte ${position} is entry ${foundEntryId} of ledger ${foundLedgerId}, ` +
          `not entry ${entryId} of ledger ${ledgerId}`,
        where
      )
    }

    const size = first.readInt32BE(0)
    const found = count - Format.sizeFieldSize
    if (size < Format.idsSize || size > maxEntrySize) {
      throw EntryLogError.corruption(
        `the entry at byte ${position} has a size of ${size}; it must be from ${Format.idsSize} to ${maxEntrySize}, ` +
          `which is maxEntrySize`,
        where
      )
    }
    const cutOff = () => EntryLogError.corruption(`the entry at byte ${position} runs past the end of the file`, where)
    if (size > found && position + size > (await Files.sizeOf(descriptor))) throw cutOff()
    const payload = new Uint8Array(size - Format.idsSize)
    payload.set(first.subarray(Format.entryHeaderSize, Format.sizeFieldSize + Math.min(size, found)))
    if (size > found) {
      const rest = payload.subarray(found - Format.idsSize)
      if ((await Files.read(descriptor, rest, position + found)) < rest.length) throw cutOff()
    }
    return payload
  })
}

/** In bytes. Small entries, which are most, come whole. */
const firstReadSize = 4096
