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
import type { Random } from "../../harness/Random.ts"

/** What has reached the disk, by inodes. */
export class Synced {
  readonly #sizes = new Map<string, number>()
  /** Of each directory, the inodes of its names. */
  readonly #names = new Map<string, ReadonlyMap<string, string>>()

  /** Reads the lines of a process. */
  read(printed: string): void {
    for (const line of printed.split("\n").slice(0, -1)) {
      const [word, inode = "", ...rest] = line.split(" ")
      if (word === "synced") this.#sizes.set(inode, Number(rest[0]))
      if (word === "names") this.#names.set(inode, new Map(rest.map(readName)))
    }
  }

  /** Takes a directory as it is for being on disk. */
  readAll(directory: string): void {
    const entries = Fs.readdirSync(directory, { withFileTypes: true })
    const names = entries.map(({ name }) => [name, inodeAt(Path.join(directory, name))] as const)
    this.#names.set(inodeAt(directory), new Map(names))
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

  /** The inode that a name in a directory has on disk; `undefined` if it is not there. */
  inodeOf(directory: number, name: string): number | undefined {
    const inode = this.#names.get(String(directory))?.get(name)
    return inode === undefined ? undefined : Number(inode)
  }
}

const inodeAt = (path: string): string => String(Fs.statSync(path).ino)

const readName = (entry: string): readonly [name: string, inode: string] => {
  const slash = entry.indexOf("/")
  return [entry.slice(slash + 1), entry.slice(0, slash)]
}

/** What is lost: everything that may be, or some of it. */
export type Severity = "all" | "some"

/**
 * Copies what is left of a directory, which itself stays, and answers what was lost. `syncsOwnWal`: the engine syncs its
 * write-ahead log where nobody sees it.
 */
export const drop = (
  random: Random,
  severity: Severity,
  synced: Synced,
  source: string,
  target: string,
  syncsOwnWal: boolean
): ReadonlyArray<string> => {
  const lost: Array<string> = []
  const places = placesIn(source)
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
      const inode = synced.inodeOf(directory, name)
      const isOnDisk = stat.isDirectory() ? inode === stat.ino : inode !== undefined
      if (isOurs && !isOnDisk && isLost()) {
        lost.push(`the name ${path}`)
        // Of an exchange of directories, the one that had the name before is there again.
        const before = stat.isDirectory() && inode !== undefined ? places.get(inode) : undefined
        if (before !== undefined) copy(before, Path.join(to, name))
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

/** Where the directories below one are, by their inodes. */
const placesIn = (directory: string): ReadonlyMap<number, string> => {
  const entries = Fs.readdirSync(directory, { withFileTypes: true, recursive: true })
  return new Map(
    entries.flatMap((entry) => {
      const path = Path.join(entry.parentPath, entry.name)
      return entry.isDirectory() ? [[Fs.statSync(path).ino, path] as const] : []
    })
  )
}
