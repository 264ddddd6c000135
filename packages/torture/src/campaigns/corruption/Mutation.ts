/**
 * Damage to the files of a directory, as a seed decides it.
 */
import * as Fs from "node:fs"
import * as Path from "node:path"
import type { Random } from "../../harness/Random.ts"

/** What was done to which file. */
export interface Mutation {
  /** The name of the file. */
  readonly file: string
  readonly what: string
  /** Which bytes of the file may be others than before. Behind the end of what was cut off there is nothing. */
  readonly from: number
  readonly to: number
}

/** Damages one file of some, and says how. */
export const mutate = (random: Random, directory: string, files: ReadonlyArray<string>): Mutation => {
  const file = files[random.below(files.length)] ?? ""
  const path = Path.join(directory, file)
  const bytes = Fs.readFileSync(path)
  const { length } = bytes
  const at = random.below(length)
  switch (length === 0 ? 9 : random.below(10)) {
    case 0:
    case 1:
    case 2:
    case 3: {
      const bit = random.below(8)
      return overwrite(path, file, at, Buffer.of((bytes[at] ?? 0) ^ (1 << bit)), `bit ${bit} of byte ${at} flipped`)
    }
    case 4: {
      const garbage = Buffer.from(
        Array.from({ length: Math.min(length - at, 1 + random.below(512)) }, () => random.below(256))
      )
      return overwrite(path, file, at, garbage, `${garbage.length} bytes from ${at} overwritten`)
    }
    case 5: {
      const zeros = Buffer.alloc(Math.min(length - at, 1 + random.below(4096)))
      return overwrite(path, file, at, zeros, `${zeros.length} bytes from ${at} zeroed`)
    }
    case 6:
      Fs.truncateSync(path, at)
      return { file, what: `cut to ${at} of ${length} bytes`, from: at, to: Infinity }
    case 7: {
      const other = files[random.below(files.length)] ?? ""
      const otherPath = Path.join(directory, other)
      const otherBytes = Fs.readFileSync(otherPath)
      Fs.writeFileSync(path, otherBytes)
      Fs.writeFileSync(otherPath, bytes)
      return { file, what: `exchanged with ${other}`, from: 0, to: Infinity }
    }
    case 8:
      Fs.rmSync(path)
      return { file, what: "removed", from: 0, to: Infinity }
    default: {
      const more = Buffer.from(Array.from({ length: 1 + random.below(2000) }, () => random.below(256)))
      Fs.appendFileSync(path, more)
      return { file, what: `${more.length} bytes appended`, from: length, to: Infinity }
    }
  }
}

const overwrite = (path: string, file: string, at: number, bytes: Buffer, what: string): Mutation => {
  const descriptor = Fs.openSync(path, "r+")
  Fs.writeSync(descriptor, bytes, 0, bytes.length, at)
  Fs.closeSync(descriptor)
  return { file, what, from: at, to: at + bytes.length }
}
