/**
 * The options of a database: what they cannot mean is refused before anything
 * is opened or created, with the option, what it was, and what it may be.
 */
import { assert, describe, it } from "@effect/vitest"
import { Config, ConfigProvider, Duration, Effect, Exit, Layer } from "effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { pathToFileURL } from "node:url"
import { NativeEngine, RocksDB } from "@effect-bookie/rocksdb"
import { temporaryDirectory } from "@effect-bookie/testing/directory"
import { reasonOf } from "@effect-bookie/testing/failure"

/** Stands for plain JavaScript, which has no types. */
const untyped = (value: unknown): never => value as never

const open = (options: RocksDB.Options) =>
  Effect.scoped(RocksDB.make(options)).pipe(Effect.asVoid, Effect.provide(NativeEngine.layer))

/** What an option cannot mean, how it is named in the message, and what the message says that is allowed. */
const impossible: ReadonlyArray<
  readonly [keyof RocksDB.Options, allowed: string, ReadonlyArray<readonly [unknown, string]>]
> = [
  [
    "path",
    "must be a string that is not empty and has no NUL character",
    [
      [undefined, "undefined"],
      [null, "null"],
      ["", '""'],
      ["a\0b", '"a\\u0000b"'],
      [5, "5"],
      [pathToFileURL("/data"), "URL"],
      [Buffer.from("data"), "Uint8Array"],
      [{ toString: () => "data" }, "Object"]
    ]
  ],
  ["path", "convert it with fileURLToPath", [[pathToFileURL("/data").href, '"file:///data"']]],
  [
    "writeBufferSize",
    'must be a size such as "64 MiB", from 1 byte to 64 GiB',
    [
      [0, "0"],
      [-1, "-1"],
      [1.5, "1.5"],
      [Number.NaN, "NaN"],
      [Infinity, "Infinity"],
      [0n, "0n"],
      [2n ** 80n, "1208925819614629174706176n"],
      ["64 GiB and more", '"64 GiB and more"'],
      ["65 GiB", '"65 GiB"'],
      ["64", '"64"'],
      ["", '""'],
      [null, "null"],
      [true, "true"],
      [{}, "Object"],
      [Symbol("size"), "Symbol(size)"]
    ]
  ],
  [
    "blockCacheSize",
    'must be a size such as "64 MiB", from 0, for none, on',
    [
      [-1, "-1"],
      [0.5, "0.5"],
      [Number.NaN, "NaN"],
      ["much", '"much"'],
      [null, "null"],
      [2n ** 64n, "18446744073709551616n"]
    ]
  ],
  [
    "bloomBitsPerKey",
    "must be a number from 0, for none, to 64",
    [
      [-1, "-1"],
      [65, "65"],
      [Number.NaN, "NaN"],
      ["10", '"10"'],
      [10n, "10n"],
      [null, "null"],
      [[10], "Array"]
    ]
  ],
  [
    "maxOpenFiles",
    "must be -1, for all, or a whole number from 1 to 2^31-1",
    [
      [0, "0"],
      [-2, "-2"],
      [1.5, "1.5"],
      [2 ** 31, "2147483648"],
      [Number.NaN, "NaN"],
      [Infinity, "Infinity"],
      ["100", '"100"'],
      [null, "null"]
    ]
  ],
  [
    "shutdownDeadline",
    'must be a duration above 0, such as "1 minute"',
    [
      [0, "0"],
      ["0 millis", '"0 millis"'],
      [-1, "-1"],
      [Number.NaN, "NaN"],
      [-Infinity, "-Infinity"],
      [-1n, "-1n"],
      ["soon", '"soon"'],
      ["5", '"5"'],
      ["-1 seconds", '"-1 seconds"'],
      [null, "null"],
      [true, "true"],
      [{}, "Object"],
      [{ minuets: 1 }, "Object"],
      [{ seconds: Number.NaN }, "Object"],
      [[Number.NaN, 0], "Array"],
      [new Date(60_000), "Date"],
      [Duration.seconds(-1), "-1000 millis"],
      [Duration.zero, "0 millis"]
    ]
  ],
  [
    "durability",
    'must be "sync" or "buffered"',
    [
      ["never", '"never"'],
      ["SYNC", '"SYNC"'],
      [true, "true"],
      [null, "null"]
    ]
  ],
  ...(["readOnly", "createIfMissing"] as const).map(
    (option) =>
      [
        option,
        "must be true or false",
        [
          ["false", '"false"'],
          [0, "0"],
          [null, "null"]
        ]
      ] as const
  )
]

describe("an option of a database", () => {
  const cases = impossible.flatMap(([option, allowed, values]) =>
    values.map(([value, name]) => ({ option, allowed, value, name }))
  )
  it.effect.each(cases)("$option cannot be $name", ({ allowed, name, option, value }) =>
    Effect.gen(function* () {
      const path = Path.join(yield* temporaryDirectory, "database")
      const reason = yield* reasonOf(open({ path, [option]: untyped(value) }))
      assert.strictEqual(reason._tag, "InvalidArgument")
      assert.include(reason.message, option)
      assert.include(reason.message, name)
      assert.include(reason.message, allowed)
      assert.isFalse(Fs.existsSync(path))
    })
  )

  it.effect.each<Partial<RocksDB.Options>>([
    { writeBufferSize: 1 },
    { writeBufferSize: 65_536n },
    { writeBufferSize: "64 GiB" },
    { blockCacheSize: 0 },
    { blockCacheSize: "0 B" },
    { bloomBitsPerKey: 0 },
    { bloomBitsPerKey: 9.5 },
    { maxOpenFiles: -1 },
    { maxOpenFiles: 1 },
    { maxOpenFiles: 0x7fff_ffff },
    { shutdownDeadline: 0.5 },
    { shutdownDeadline: "1 nanos" },
    { shutdownDeadline: "30 days" },
    { shutdownDeadline: Infinity },
    { shutdownDeadline: { minutes: 1, seconds: 30 } },
    { readOnly: undefined, createIfMissing: undefined, durability: undefined, shutdownDeadline: undefined },
    { durability: "buffered" }
  ])("can be %o", (options) =>
    Effect.gen(function* () {
      const path = Path.join(yield* temporaryDirectory, "database")
      yield* open({ path, ...options })
    })
  )
})

describe("the options of a database", () => {
  it.effect.each<readonly [string, unknown]>([
    ["undefined", undefined],
    ["null", null],
    ["a path alone", "data"],
    ["a list", ["data"]],
    ["a path that cannot be read", throwing("path")],
    ["a path that throws what cannot be read", throwing("path", revoked())],
    ["a revoked proxy", revoked()]
  ])("cannot be %s", ([, options]) =>
    Effect.gen(function* () {
      const reason = yield* reasonOf(open(untyped(options)))
      assert.strictEqual(reason._tag, "InvalidArgument")
      assert.match(reason.message, /the options must be an object|cannot be read|path must be/)
      const layer = RocksDB.layer(untyped(options))
      assert.strictEqual((yield* reasonOf(Effect.scoped(Layer.build(layer))))._tag, "InvalidArgument")
    })
  )

  it.effect.each<readonly [string, unknown]>([
    ["null", null],
    ["a path", "data"],
    ["an option that cannot be read", throwing("readOnly")],
    ["an option that throws what cannot be read", throwing("readOnly", revoked())],
    ["a revoked proxy", revoked()]
  ])("of layerTemp cannot be %s", ([, options]) =>
    Effect.gen(function* () {
      const reason = yield* reasonOf(Effect.scoped(Layer.build(RocksDB.layerTemp(untyped(options)))))
      assert.strictEqual(reason._tag, "InvalidArgument")
      assert.match(reason.message, /the options must be an object|cannot be read/)
    })
  )

  it.effect.each<readonly [string, unknown]>([
    ["a long text", "x".repeat(100_000)],
    ["a bigint of many digits", 2n ** 100_000n],
    ["a symbol with a long name", Symbol("x".repeat(100_000))],
    ["an object with a long name", { [Symbol.toStringTag]: "x".repeat(100_000) }]
  ])("are refused in few words where one is %s", ([, value]) =>
    Effect.gen(function* () {
      const reason = yield* reasonOf(open({ path: "data", writeBufferSize: untyped(value) }))
      assert.include(reason.message, "writeBufferSize must be a size")
      assert.isBelow(reason.message.length, 200)
    })
  )

  it.effect("count as they are when the database is opened", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const options = { path: Path.join(directory, "first") }
      const database = Effect.scoped(RocksDB.make(options)).pipe(Effect.provide(NativeEngine.layer))
      options.path = Path.join(directory, "second")
      assert.strictEqual((yield* database).path, options.path)
      assert.deepStrictEqual(Fs.readdirSync(directory), ["second"])
    })
  )

  it.effect.each<readonly [string, unknown]>([
    ["null", null],
    ["a path", "data"],
    ["a path that is no Config", { path: "data" }],
    ["one option that is no Config", { path: Config.succeed("data"), readOnly: true }]
  ])("of layerConfig cannot be %s", ([, options]) =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(Effect.scoped(Layer.build(RocksDB.layerConfig(untyped(options)))))
      assert.isTrue(Exit.isFailure(exit))
      assert.include(String(exit), "the options must be a Config, or an object of Configs")
    })
  )

  it.effect.each<readonly [string, unknown]>([
    ["an option that cannot be read", throwing("path")],
    ["an option that throws what cannot be read", throwing("path", revoked())],
    ["a revoked proxy", revoked()],
    ["an object that is one of its own options", cyclic()]
  ])("of layerConfig cannot be %s", ([, options]) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Effect.scoped(Layer.build(RocksDB.layerConfig(untyped(options)))))
      assert.strictEqual(error._tag === "RocksDBError" ? error.reason._tag : error._tag, "InvalidArgument")
      assert.include(error.message, "cannot be read")
    })
  )

  it.effect.each<readonly [string, Record<string, string>]>([
    ["maxOpenFiles", { ROCKSDB_MAX_OPEN_FILES: "0" }],
    ["bloomBitsPerKey", { ROCKSDB_BLOOM_BITS_PER_KEY: "-1" }],
    ["writeBufferSize", { ROCKSDB_WRITE_BUFFER_SIZE: "0 B" }],
    ["shutdownDeadline", { ROCKSDB_SHUTDOWN_DEADLINE: "-1 seconds" }],
    ["path", { ROCKSDB_PATH: "file:///data" }]
  ])("of an environment are held to the same: %s", ([option, env]) =>
    Effect.gen(function* () {
      const path = Path.join(yield* temporaryDirectory, "database")
      const exit = yield* Effect.exit(Effect.scoped(Layer.build(RocksDB.layerConfig()))).pipe(
        Effect.provideService(
          ConfigProvider.ConfigProvider,
          ConfigProvider.fromEnvRecord({ ROCKSDB_PATH: path, ...env })
        )
      )
      assert.match(String(exit), new RegExp(`RocksDBError: open: ${option} must be`))
      assert.isFalse(Fs.existsSync(path))
    })
  )
})

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}

/** An object with an option that throws something when it is read. */
function throwing(option: string, cause: unknown = new Error("not for you")): object {
  const get = () => {
    throw cause
  }
  return Object.defineProperty({}, option, { get, enumerable: true })
}

function cyclic(): object {
  const options: Record<string, unknown> = { path: Config.succeed("data") }
  options.inner = options
  return options
}
