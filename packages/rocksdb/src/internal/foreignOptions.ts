/**
 * What the file OPTIONS of a database says that another program wrote, as far as
 * that keeps an engine from opening it.
 *
 * RocksDB refuses such a database itself, but only after it has begun a new LOG
 * and the directory has been locked. So what can be read before is: families of
 * columns beside the default one, another order of the keys, and files that no
 * engine of this package is built to read. Where there is no such file, or it
 * does not say, RocksDB decides.
 */
import * as Fs from "node:fs/promises"
import * as Path from "node:path"
import * as RocksDBError from "../RocksDBError.ts"

/** Rejects with `UnsupportedFormat` if the engine of a name cannot open the database in a directory. */
export const check = async (path: string, engine: string): Promise<void> => {
  const names = await Fs.readdir(path)
  const name = newest(names)
  if (name === undefined) return
  const sections = parse(await Fs.readFile(Path.join(path, name), "latin1"))
  const hasTables = names.some((name) => /^\d+\.(sst|ldb)$/.test(name))
  const problem = problemWith(sections, hasTables, engine)
  if (problem === undefined) return
  throw new RocksDBError.RocksDBError({
    reason: new RocksDBError.UnsupportedFormat({
      operation: "open",
      path,
      message:
        `open: the database at ${path} is another program's, and ${problem}, as its file ${name} says. ` +
        `It is left as it was: use a directory of its own.`
    })
  })
}

type Sections = ReadonlyMap<string, ReadonlyMap<string, string>>

const problemWith = (sections: Sections, hasTables: boolean, engine: string): string | undefined => {
  const families = [...sections.keys()].flatMap((section) => /^CFOptions "(.*)"$/.exec(section)?.[1] ?? [])
  const other = families.find((family) => family !== "default")
  if (other !== undefined) return `has a family of columns ${JSON.stringify(other)} beside the default one`
  const options = sections.get('CFOptions "default"')
  const comparator = options?.get("comparator") ?? bytewise
  if (comparator !== bytewise) return `has its keys in another order (${comparator})`
  if (!hasTables) return undefined
  const compression = options?.get("compression")
  if (compression?.startsWith("kLZ4") === true) return "compresses its files with LZ4, which no engine here reads"
  const format = sections.get('TableOptions/BlockBasedTable "default"')?.get("format_version")
  const newestFormat = formats.get(engine)
  return newestFormat !== undefined && Number(format) > newestFormat
    ? `has files of format ${format}, of which the engine "${engine}" reads those up to ${newestFormat}`
    : undefined
}

const bytewise = "leveldb.BytewiseComparator"

/** The newest format of SST files that an engine reads, where there are newer ones. */
const formats: ReadonlyMap<string, number> = new Map([["rocksdb", 5]])

/** RocksDB writes a new one at each open, and keeps the one before. */
const newest = (names: ReadonlyArray<string>): string | undefined =>
  names
    .filter((name) => /^OPTIONS-\d+$/.test(name))
    .toSorted((left, right) => numberIn(left) - numberIn(right))
    .at(-1)

const numberIn = (name: string): number => Number(name.slice("OPTIONS-".length))

/** Lines `name=value` below lines `[section]`. */
const parse = (text: string): Sections => {
  const sections = new Map<string, Map<string, string>>()
  let options = new Map<string, string>()
  for (const line of text.split("\n")) {
    const section = /^\[(.*)\]\s*$/.exec(line)?.[1]
    const [, name, value] = /^\s*([^#\s=]+)\s*=\s*(.*?)\s*$/.exec(line) ?? []
    if (section !== undefined) sections.set(section, (options = new Map()))
    else if (name !== undefined && value !== undefined) options.set(name, value)
  }
  return sections
}
