/**
 * What a power loss leaves of a directory, by what had been brought to disk:
 * `recordSyncs` says that.
 *
 * Of a file that is appended to (entry logs and write-ahead logs, `*.log`) the
 * bytes are there that a sync has covered; what was appended later may be gone
 * or be there in part, and in a write-ahead log be zeros. (An entry log has no
 * checksums: there, zeros pass for an entry, and only its payload can tell.) A
 * name that was made since its directory
 * was last synced may be gone. Names that RocksDB makes, and the files that it
 * syncs by itself, are there as they are: on the Level engine these are the
 * write-ahead logs too.
 */
import * as Fs from "node:fs"
import * as Path from "node:path"
import type { Random } from "./Random.ts"

/** What has reached the disk, by inodes. */
export class Synced {
  readonly #sizes = new Map<string, number>()
  readonly #names = new Map<string, ReadonlySet<string>>()

  /** Reads the lines of a process. */
  read(printed: string): void {
    for (const line of printed.split("\n").slice(0, -1)) {
      const [word, inode = "", ...rest] = line.split(" ")
      if (word === "synced") this.#sizes.set(inode, Number(rest[0]))
      if (word === "names") this.#names.set(inode, new Set(rest.map((entry) => entry.slice(entry.indexOf("/") + 1))))
    }
  }

  /** Takes a directory as it is for being on disk. */
  readAll(directory: string): void {
    const entries = Fs.readdirSync(directory, { withFileTypes: true })
    this.#names.set(String(Fs.statSync(directory).ino), new Set(entries.map(({ name }) => name)))
    for (const entry of entries) {
      const path = Path.join(directory, entry.name)
      const stat = Fs.statSync(path)
      if (stat.isDirectory()) this.readAll(path)
      else this.#sizes.set(String(stat.ino), stat.size)
    }
  }

  /** How many bytes of a file are on disk. */
  size(inode: number): number {
    return this.#sizes.get(String(inode)) ?? 0
  }

  /** Whether a directory is on disk with a name in it. */
  hasName(directory: number, name: string): boolean {
    return this.#names.get(String(directory))?.has(name) === true
  }
}

/** What is lost: everything that may be, or some of it. */
export type Severity = "all" | "some"

/**
 * Copies what is left of a directory, which itself stays, and answers what was lost. `syncsOwnWal`: the engine syncs its
 * write-ahead log where nobody sees it.
 */
export const lose = (
  random: Random,
  severity: Severity,
  synced: Synced,
  source: string,
  target: string,
  syncsOwnWal: boolean
): ReadonlyArray<string> => {
  const lost: Array<string> = []
  const isLost = (): boolean => severity === "all" || random.oneIn(2)
  const copy = (from: string, to: string): void => {
    Fs.mkdirSync(to)
    const { ino: directory } = Fs.statSync(from)
    for (const name of Fs.readdirSync(from)) {
      const path = Path.join(from, name)
      const stat = Fs.statSync(path)
      const isWal = /^\d{6}\.log$/.test(name)
      const isLog = name.endsWith(".log") && !(isWal && syncsOwnWal)
      const isOurs = stat.isDirectory() || isLog || name === "lastId"
      if (isOurs && !synced.hasName(directory, name) && isLost()) {
        lost.push(`the name ${path}`)
      } else if (stat.isDirectory()) {
        copy(path, Path.join(to, name))
      } else {
        Fs.copyFileSync(path, Path.join(to, name))
        const size = synced.size(stat.ino)
        if (!isLog || size >= stat.size || !isLost()) continue
        lost.push(`${path} from byte ${size} of ${stat.size}`)
        Fs.truncateSync(Path.join(to, name), severity === "all" ? size : size + random.below(stat.size - size))
        if (isWal && severity === "some" && random.oneIn(2)) Fs.truncateSync(Path.join(to, name), stat.size)
      }
    }
  }
  copy(source, target)
  return lost
}
