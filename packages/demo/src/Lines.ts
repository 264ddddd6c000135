/**
 * A file as a stream of lines that, one after another, are the file's bytes
 * exactly: each keeps its line feed, and a last line without one is a line too.
 * A line longer than the bound comes in pieces, so memory stays bounded on
 * files that have no lines.
 */
import * as FileSystem from "effect/FileSystem"
import type { PlatformError } from "effect/PlatformError"
import * as Stream from "effect/Stream"

/** The longest line that is not cut, in bytes. */
export const maxLineLength: number = 256 * 1024

/** The lines of a file. */
export const ofFile = (path: string): Stream.Stream<Uint8Array, PlatformError, FileSystem.FileSystem> =>
  Stream.unwrap(FileSystem.FileSystem.useSync((fs) => fromBytes(fs.stream(path))))

/** The lines of a stream of bytes. */
export const fromBytes = <E, R>(bytes: Stream.Stream<Uint8Array, E, R>): Stream.Stream<Uint8Array, E, R> =>
  Stream.mapAccum(bytes, () => empty, split, {
    onHalt: (rest) => (rest.length === 0 ? [] : [rest])
  })

/** Groups lines so that neither their number nor, but for the last one, their bytes exceed a bound. */
export const grouped =
  (maxLines: number) =>
  <E, R>(lines: Stream.Stream<Uint8Array, E, R>): Stream.Stream<ReadonlyArray<Uint8Array>, E, R> =>
    Stream.mapAccum(
      lines,
      (): Group => ({ lines: [], bytes: 0 }),
      (group, line): readonly [Group, ReadonlyArray<Array<Uint8Array>>] => {
        group.lines.push(line)
        const bytes = group.bytes + line.length
        return group.lines.length >= maxLines || bytes >= maxGroupBytes
          ? [{ lines: [], bytes: 0 }, [group.lines]]
          : [{ lines: group.lines, bytes }, []]
      },
      { onHalt: (group) => (group.lines.length === 0 ? [] : [group.lines]) }
    )

interface Group {
  readonly lines: Array<Uint8Array>
  readonly bytes: number
}

const maxGroupBytes = 8 * 1024 * 1024

const empty: Uint8Array = new Uint8Array(0)

const lineFeed = 0x0a

/** The whole lines of what was left over and the next bytes, and what is left over then. */
const split = (rest: Uint8Array, chunk: Uint8Array): readonly [rest: Uint8Array, lines: Array<Uint8Array>] => {
  const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
  const lines: Array<Uint8Array> = []
  let start = 0
  while (start < bytes.length) {
    const at = bytes.indexOf(lineFeed, start)
    const end = Math.min(at === -1 ? Infinity : at + 1, start + maxLineLength)
    if (end > bytes.length) break
    lines.push(bytes.subarray(start, end))
    start = end
  }
  return [bytes.subarray(start), lines]
}
