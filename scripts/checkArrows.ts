/**
 * Draws the house, imports as arrows, and fails where one runs up or where
 * arrows run in a circle.
 *
 * - Between packages an arrow runs down only: src of a package imports the
 *   packages that stand below it in {@link house}, and that its package.json
 *   names. Tests, and the torture, may import `testing`, too.
 * - Within a package a room is a folder of `src/internal`; every other file is
 *   one of its own. No circle runs through rooms.
 * - The types of a public module of src may be imported from everywhere in its
 *   package, as in Effect itself.
 */
import * as Fs from "node:fs"
import * as Path from "node:path"

const repository = Path.resolve(import.meta.dirname, "..")

/** What each package may import, from the ground up. */
const house: { readonly [name: string]: ReadonlyArray<string> } = (() => {
  const lifecycle: ReadonlyArray<string> = ["lifecycle"]
  const index = [...lifecycle, "rocksdb", "entry-log"]
  const storage = [...index, "entry-location-index"]
  const all = [...storage, "rocksdb-level", "ledger-storage", "persistence"]
  return {
    lifecycle: [],
    rocksdb: lifecycle,
    "rocksdb-level": [...lifecycle, "rocksdb"],
    "entry-log": lifecycle,
    "entry-location-index": index,
    "ledger-storage": storage,
    "ledger-storage-cassandra": [...lifecycle, "ledger-storage"],
    "ledger-storage-pg": [...lifecycle, "ledger-storage"],
    persistence: storage,
    cli: all,
    demo: all,
    bench: all,
    testing: all,
    torture: [...all, "testing"]
  }
})()

interface Import {
  readonly file: string
  /** The package or the file that is imported. */
  readonly target: string
  readonly typesOnly: boolean
}

const check = (): ReadonlyArray<string> =>
  Fs.readdirSync(Path.join(repository, "packages"))
    .filter((name) => Fs.existsSync(Path.join(repository, "packages", name, "package.json")))
    .flatMap((name) => {
      const root = Path.join(repository, "packages", name)
      const imports = sourcesOf(root).flatMap(importsOf)
      return [...arrowsUp(name, root, imports), ...circles(root, imports)]
    })

const sourcesOf = (root: string): ReadonlyArray<string> =>
  Fs.globSync("src/**/*.ts", { cwd: root }).map((name) => Path.join(root, name))

const importsOf = (file: string): ReadonlyArray<Import> =>
  [...Fs.readFileSync(file, "utf8").matchAll(importing)].map(([, types, from = ""]) => {
    const target = from.startsWith(".") ? Path.resolve(Path.dirname(file), from) : from
    return { file, target, typesOnly: types !== undefined }
  })

/** `import … from "…"`, `import "…"` and `export … from "…"`, each also over several lines. */
const importing = /^(?:import|export)( type)? (?:(?:[\w$]+, )?(?:\* as [\w$]+|\*|\{[^}"]*\}|[\w$]+) from )?"([^"]+)"/gm

const arrowsUp = (name: string, root: string, imports: ReadonlyArray<Import>): ReadonlyArray<string> => {
  const below = house[name]
  if (below === undefined) return [`${name} is not in the house: say in scripts/checkArrows.ts what it may import`]
  const manifest = JSON.parse(Fs.readFileSync(Path.join(root, "package.json"), "utf8"))
  const named = { ...manifest.dependencies, ...manifest.peerDependencies, ...manifest.devDependencies }
  return imports.flatMap(({ file, target }) => {
    const where = `${Path.relative(repository, file)} imports ${target}`
    if (Path.isAbsolute(target)) {
      return target.startsWith(Path.join(root, "src")) ? [] : [`${where}, which lies outside of its package's src`]
    }
    const [, other] = /^@effect-bookie\/([^/]+)/.exec(target) ?? []
    if (other === undefined) return []
    if (!below.includes(other)) return [`${where}: this arrow runs up`]
    return `@effect-bookie/${other}` in named ? [] : [`${where}, which its package.json does not name`]
  })
}

/** A circle through the rooms of a package, if there is one: what imports what, and where. */
const circles = (root: string, imports: ReadonlyArray<Import>): ReadonlyArray<string> => {
  const arrows = new Map<string, Map<string, Import>>()
  for (const arrow of imports) {
    if (!Path.isAbsolute(arrow.target) || (arrow.typesOnly && isPublic(root, arrow.target))) continue
    const [from, to] = [roomOf(root, arrow.file), roomOf(root, arrow.target)]
    if (from !== to) arrows.set(from, (arrows.get(from) ?? new Map<string, Import>()).set(to, arrow))
  }
  const path: Array<string> = []
  const done = new Set<string>()
  const walk = (room: string): ReadonlyArray<string> => {
    if (done.has(room)) return []
    if (path.includes(room)) return [describe(root, [...path.slice(path.indexOf(room)), room], arrows)]
    path.push(room)
    const found = [...(arrows.get(room)?.keys() ?? [])].flatMap(walk)
    path.pop()
    done.add(room)
    return found
  }
  return [...arrows.keys()].flatMap(walk)
}

const isPublic = (root: string, file: string): boolean => Path.dirname(file) === Path.join(root, "src")

/** A folder below `internal`, or a file that is in none. */
const roomOf = (root: string, file: string): string => {
  const folder = Path.dirname(Path.relative(Path.join(root, "src"), file))
  return folder === "." || folder === "internal" ? Path.relative(root, file) : Path.join("src", folder)
}

const describe = (
  root: string,
  rooms: ReadonlyArray<string>,
  arrows: ReadonlyMap<string, ReadonlyMap<string, Import>>
): string => {
  const steps = rooms.slice(1).map((room, index) => {
    const arrow = arrows.get(rooms[index] ?? "")?.get(room)
    return `  ${Path.relative(root, arrow?.file ?? "")} imports ${Path.relative(root, arrow?.target ?? "")}`
  })
  return [`${Path.relative(repository, root)} has a circle:`, ...steps].join("\n")
}

const problems = check()
for (const problem of problems) console.error(problem)
if (problems.length > 0) process.exitCode = 1
