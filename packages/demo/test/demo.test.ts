import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as Demo from "./program.ts"

/** Files that a demo should get right: none, no last line feed, no lines at all, bytes that are no text. */
const writeFiles = (folder: string) => {
  const files = {
    "empty.txt": Buffer.alloc(0),
    "lines.txt": Buffer.from("one\ntwo\n\nfour\n"),
    "no-last-line-feed.txt": Buffer.from("one\ntwo"),
    "no-lines.bin": Buffer.alloc(1_500_000, 7),
    "bytes.bin": Buffer.from(Array.from({ length: 5_000 }, (_, at) => (at * at * 31) % 256)),
    "nested/lines.txt": Buffer.from("a\n".repeat(12_345))
  }
  for (const [name, bytes] of Object.entries(files)) {
    const file = Path.join(folder, name)
    Fs.mkdirSync(Path.dirname(file), { recursive: true })
    Fs.writeFileSync(file, bytes)
  }
}

const releases = (output: string) =>
  output
    .split("\n")
    .filter((line) => line.startsWith("released "))
    .map((line) => line.slice("released ".length))

const assertReleasedInOrder = (output: string) => {
  const released = releases(output)
  assert.deepStrictEqual(released.slice(-4), ["entry-location-index", "rocksdb.operations", "rocksdb.wal", "rocksdb"])
  const gauges = released.slice(0, -4)
  assert.isAbove(gauges.length, 20)
  assert.isTrue(gauges.every((name) => name.startsWith("gauge:")))
  assert.include(gauges, "gauge:bookie_entry_location_entries")
}

describe("npm run demo", () => {
  it.live("stores this repository's own files, compares every line, and releases in order", () =>
    Effect.gen(function* () {
      const { code, output } = yield* Demo.run()
      assert.strictEqual(code, 0, output)
      assert.match(output, /read back +\d{4,} lines/)
      assert.match(output, /deleted +ledger \d+ and its \d+ entries: 0 left/)
      assert.match(output, /^bookie_entry_location_entries\{path=".+"\} \d+$/m)
      assertReleasedInOrder(output)
    })
  )

  it.live("goes on where it was when it is run again on the same data", () =>
    Effect.gen(function* () {
      const folder = yield* Demo.directory
      writeFiles(Path.join(folder, "files"))
      const args = ["--data", Path.join(folder, "data"), Path.join(folder, "files")]
      const first = yield* Demo.run(...args)
      assert.strictEqual(first.code, 0, first.output)
      assert.match(first.output, /6 files as ledgers: \d+ lines added as entries, 0 known already/)
      Fs.appendFileSync(Path.join(folder, "files/lines.txt"), "five\n")
      const second = yield* Demo.run(...args)
      assert.strictEqual(second.code, 0, second.output)
      assert.match(second.output, /6 files as ledgers: 1 lines added as entries, \d{5} known already/)
      assertReleasedInOrder(second.output)
    })
  )

  it.live("gives a file that no longer begins with what was stored a new ledger", () =>
    Effect.gen(function* () {
      const folder = yield* Demo.directory
      const file = Path.join(folder, "file.txt")
      Fs.writeFileSync(file, "one\ntwo\n")
      const args = ["--data", Path.join(folder, "data"), file]
      assert.strictEqual((yield* Demo.run(...args)).code, 0)
      Fs.writeFileSync(file, "uno\n")
      const { code, output } = yield* Demo.run(...args)
      assert.strictEqual(code, 0, output)
      assert.match(output, /1 files as ledgers: 1 lines added as entries, 0 known already/)
    })
  )

  it.live("goes on after a run that was killed", () =>
    Effect.gen(function* () {
      const folder = yield* Demo.directory
      const files = Path.join(folder, "files")
      writeFiles(files)
      Fs.writeFileSync(Path.join(files, "large.txt"), "the quick brown fox\n".repeat(300_000))
      const args = ["--data", Path.join(folder, "data"), files]
      const killed = yield* Demo.start(...args)
      yield* Effect.promise(async () => {
        const logs = Path.join(folder, "data/logs")
        while (!Fs.existsSync(Path.join(logs, "0.log"))) await new Promise((resolve) => setTimeout(resolve, 5))
        await new Promise((resolve) => setTimeout(resolve, 300))
      })
      killed.kill("SIGKILL")
      assert.notStrictEqual((yield* killed.outcome).code, 0)
      const { code, output } = yield* Demo.run(...args)
      assert.strictEqual(code, 0, output)
      assert.match(output, /recovered +\d+ entries/)
    })
  )

  it.live("exits 1 if a stored byte is not what it was", () =>
    Effect.gen(function* () {
      const folder = yield* Demo.directory
      const file = Path.join(folder, "file.txt")
      Fs.writeFileSync(file, "one\ntwo\nthree\n")
      const data = Path.join(folder, "data")
      assert.strictEqual((yield* Demo.run("--data", data, file)).code, 0)
      const log = Path.join(data, "logs/0.log")
      const bytes = Fs.readFileSync(log)
      const at = bytes.indexOf("three")
      bytes.writeInt32BE(2_000_000_000, at - 20)
      Fs.writeFileSync(log, bytes)
      const { code, output } = yield* Demo.run("--data", data, file)
      assert.strictEqual(code, 1, output)
    })
  )

  it.live("says what is wrong with a file that is not there, and stores nothing", () =>
    Effect.gen(function* () {
      const folder = yield* Demo.directory
      const data = Path.join(folder, "data")
      const { code, output } = yield* Demo.run("--data", data, Path.join(folder, "nothing.txt"))
      assert.strictEqual(code, 1, output)
      assert.include(output, "nothing.txt")
      assert.isFalse(Fs.existsSync(data))
    })
  )
})

describe("npm run demo -- --serve", () => {
  const port = 20_000 + (process.pid % 20_000)

  it.live.each(["SIGTERM", "SIGINT"] as const)(
    "answers /metrics until %s and then releases in order, under load",
    (signal) =>
      Effect.gen(function* () {
        const folder = yield* Demo.directory
        writeFiles(folder)
        const program = yield* Demo.start("--serve", "--port", String(port), Path.join(folder, "lines.txt"))
        assert.isTrue(yield* program.printed("serving "), program.output)
        const answer = yield* Effect.promise(async () => (await fetch(`http://127.0.0.1:${port}/metrics`)).text())
        assert.match(answer, /^bookie_entry_location_entries\{/m)
        const scraping = Array.from({ length: 20 }, () => scrapeUntilRefused(port))
        yield* Effect.sleep("200 millis")
        program.kill(signal)
        const { code, output } = yield* program.outcome
        assert.strictEqual(code, 0, output)
        const answers = (yield* Effect.promise(() => Promise.all(scraping))).flat()
        assert.isAbove(answers.length, 20)
        for (const text of answers) assert.match(text, /^bookie_entry_location_entries\{/m)
        assertReleasedInOrder(output)
      })
  )
})

/** The bodies of all scrapes until the server is gone. */
const scrapeUntilRefused = async (port: number): Promise<Array<string>> => {
  const bodies: Array<string> = []
  while (true) {
    try {
      const response = await fetch(`http://127.0.0.1:${port}/metrics`)
      const body = await response.text()
      if (response.status !== 200) return bodies
      bodies.push(body)
    } catch {
      return bodies
    }
  }
}
