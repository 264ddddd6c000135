import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { unreadableCauses } from "@effect-bookie/testing/hostile"
import { RocksDBError } from "@effect-bookie/rocksdb"

const where = { operation: "open", path: "/data/database" }

const withCode = (message: string, code: string) => Object.assign(new Error(message), { code })

const unreadable = unreadableCauses("RocksDBError")

/** Texts as the bindings and the operating system report them. */
const reports: ReadonlyArray<readonly [RocksDBError.Reason["_tag"], Error]> = [
  ["Closed", new Error("RocksDB session is closed")],
  ["Closed", new Error("Database is not open")],
  [
    "Locked",
    withCode(
      "lock hold by current process, acquire time 1795538093 acquiring thread 12989: /data/database/LOCK: No locks available",
      "EIO"
    )
  ],
  ["Locked", new Error("IO error: While lock file: /data/database/LOCK: Resource temporarily unavailable")],
  ["NoSpace", withCode("While appending to file: /data/database/000004.log: No space left on device", "ENOSPC")],
  [
    "NoSpace",
    new Error(
      "IO error: No space left on deviceWhile appending to file: /data/database/000026.sst: No space left on device"
    )
  ],
  ["NoSpace", withCode("ENOSPC: no space left on device, open '/data/database/ENGINE'", "ENOSPC")],
  [
    "NoSpace",
    new Error("Batch was not applied", {
      cause: withCode("While appending to file: /data/database/000004.log: No space left on device", "ENOSPC")
    })
  ],
  [
    "ReadOnly",
    new Error("Batch was not applied", { cause: withCode("Not supported operation in read only mode.", "ENOSYS") })
  ],
  ["MissingDatabase", new Error("Invalid argument: /data/database: does not exist (create_if_missing is false)")],
  [
    "UnsupportedFormat",
    new Error("Corruption: Unknown Footer version. Maybe this file was created with newer version of RocksDB?")
  ],
  ["UnsupportedFormat", withCode("LZ4 not supported in this build", "ENOSYS")],
  [
    "Corruption",
    withCode(
      "block checksum mismatch: stored = 12709949, computed = 2727566992, type = 4  in /data/database/000009.sst offset 81565 size 4084",
      "EIO"
    )
  ],
  ["Corruption", withCode("CURRENT file does not end with newline", "EIO")],
  [
    "Corruption",
    withCode(
      "While opening a file for sequentially reading: /data/database/MANIFEST-000005: No such file or directory",
      "ENOENT"
    )
  ],
  [
    "Corruption",
    withCode(
      "Sst file size mismatch between expected 157621 and file system 1000 sstable: /data/database/000009.sst  The file /data/database/MANIFEST-000005 may be corrupted.",
      "EIO"
    )
  ],
  ["Corruption", new Error("Corruption: bad entry in block")],
  [
    "IOError",
    withCode("While opening a file for sequentially reading: /data/database/MANIFEST-000005: Permission denied", "EIO")
  ],
  ["IOError", withCode("EACCES: permission denied, mkdir '/data/database'", "EACCES")],
  ["IOError", withCode("While pread offset 0 len 8192: /data/database/000009.sst: Input/output error", "EIO")],
  ["IOError", withCode("While appending to file: /data/database/000004.log: File too large", "EIO")],
  ["IOError", withCode("EIO: i/o error, fdatasync", "EIO")],
  ["InvalidArgument", withCode("end key comes before start key", "EINVAL")]
]

/** Where RocksDB puts what the operating system said, whose code it does not pass on; and Node's errors, which have it. */
const refusals: ReadonlyArray<readonly [string, boolean, Error]> = [
  [
    "EMFILE",
    true,
    withCode("While open a file for random read: /data/database/MANIFEST-000005: Too many open files", "EIO")
  ],
  [
    "EMFILE",
    true,
    new Error("IO error: While open a file for random read: /data/database/000012.sst: Too many open files")
  ],
  [
    "EMFILE",
    true,
    withCode(
      "Found options incompatible with filesystem: IO error: While open a file for random read: /data/database/CURRENT: Too many open files",
      "EINVAL"
    )
  ],
  [
    "EMFILE",
    true,
    withCode(
      "While open a file for random read: /data/database/000012.sst: Too many open files  The file /data/database/MANIFEST-000005 may be corrupted.",
      "EIO"
    )
  ],
  ["EMFILE", true, withCode("EMFILE: too many open files, open '/data/database/ENGINE'", "EMFILE")],
  ["ENFILE", true, withCode("While open directory: /data/database: Too many open files in system", "EIO")],
  [
    "EAGAIN",
    true,
    withCode("While pread offset 0 len 8192: /data/database/000009.sst: Resource temporarily unavailable", "EIO")
  ],
  [
    "EINTR",
    true,
    withCode("While opening a file for sequentially reading: /data/database/CURRENT: Interrupted system call", "EIO")
  ],
  [
    "ENOMEM",
    true,
    withCode("While open a file for appending: /data/database/MANIFEST-000009: Cannot allocate memory", "EIO")
  ],
  ["EBUSY", true, withCode("while unlink() file: /data/database/000009.sst: Device or resource busy", "EIO")],
  ["ETIMEDOUT", true, withCode("While fsync: /data/database/MANIFEST-000005: Connection timed out", "EIO")],
  ["EIO", false, withCode("While fsync: /data/database/MANIFEST-000005: Input/output error", "EIO")],
  [
    "EIO",
    false,
    withCode("While rename a file to /data/database/CURRENT: /data/database/000005.dbtmp: Input/output error", "EIO")
  ],
  [
    "EROFS",
    false,
    withCode("While open a file for appending: /data/database/MANIFEST-000009: Read-only file system", "EIO")
  ],
  [
    "EUCLEAN",
    false,
    withCode("While pread offset 0 len 8: /data/database/MANIFEST-000005: Structure needs cleaning", "EIO")
  ],
  ["ESTALE", false, withCode("While fstat with fd 9: /data/database/CURRENT: Stale file handle", "EIO")],
  ["ENOLCK", false, withCode("While lock file: /data/database/LOCK: No locks available", "EIO")],
  ["EACCES", false, withCode("EACCES: permission denied, open '/data/database/MANIFEST-000005'", "EACCES")]
]

describe("RocksDBError", () => {
  it.each(refusals)(
    "what the operating system said decides, whatever file it said it of: %s",
    (code, passes, report) => {
      const error = RocksDBError.fromNative(report, where)
      assert.deepInclude(error.reason, { _tag: "IOError", code })
      assert.strictEqual(error.isRetryable, passes)
      assert.notMatch(error.message, /restore|rebuild/i)
    }
  )

  it("a code that the binding makes of RocksDB's status is no code of the operating system", () => {
    const { reason } = RocksDBError.fromNative(withCode("While doing something", "EIO"), where)
    assert.deepInclude(reason, { _tag: "IOError", code: undefined })
  })

  it("the name of the directory is no word of the operating system", () => {
    const path = "/data/a: Too many open files"
    const { reason } = RocksDBError.fromNative(withCode(`bad magic number in ${path}/000009.sst`, "EIO"), {
      operation: "get",
      path
    })
    assert.strictEqual(reason._tag, "Corruption")
  })

  it.each(reports)("%s: %o", (tag, report) => {
    const error = RocksDBError.fromNative(report, where)
    assert.strictEqual(error.reason._tag, tag)
    assert.strictEqual(error.reason.operation, "open")
    assert.strictEqual(error.reason.path, where.path)
    assert.strictEqual(error.reason.cause, report)
  })

  it("the message has what the binding said and what to do", () => {
    const cause = withCode("While appending to file: /data/database/000004.log: No space left on device", "ENOSPC")
    const { message } = RocksDBError.fromNative(new Error("Batch was not applied", { cause }), where)
    assert.include(message, cause.message)
    assert.include(message, "Free some room")
  })

  it.each(["manifest", "corruption", "read only mode", "no space left on device", "CURRENT file"])(
    "the name of the directory does not decide: %s",
    (name) => {
      const path = `/data/${name}`
      const report = withCode(`While pread offset 0 len 8192: ${path}/000009.sst: Input/output error`, "EIO")
      assert.strictEqual(RocksDBError.fromNative(report, { operation: "get", path }).reason._tag, "IOError")
    }
  )

  it("an error of this package stays what it is", () => {
    const error = RocksDBError.closed(where)
    assert.strictEqual(RocksDBError.fromNative(error, { operation: "get", path: "/elsewhere" }), error)
  })

  it("what is thrown and is no error becomes one", () => {
    assert.include(RocksDBError.fromNative("out of luck", where).message, "out of luck")
  })

  it("what is thrown and cannot be read becomes one, and is never thrown on", () => {
    for (const cause of unreadable) {
      const error = RocksDBError.fromNative(cause, where)
      assert.strictEqual(error.reason._tag, "IOError")
      assert.isFalse(error.isRetryable)
    }
    const circular: Error = new Error("Batch was not applied")
    circular.cause = circular
    assert.strictEqual(RocksDBError.fromNative(circular, where).reason._tag, "IOError")
  })

  it("of these, Locked and NoSpace may go away by themselves, and nothing else does", () => {
    const retryable = reports
      .map(([, report]) => RocksDBError.fromNative(report, where))
      .filter((error) => error.isRetryable)
      .map(({ reason }) => reason._tag)
    assert.deepStrictEqual([...new Set(retryable)], ["Locked", "NoSpace"])
  })

  it.effect("a reason can be caught by its tag", () =>
    Effect.gen(function* () {
      const caught = yield* Effect.fail(RocksDBError.closed(where)).pipe(
        Effect.catchReason("RocksDBError", "Closed", (reason) => Effect.succeed(reason.operation))
      )
      assert.strictEqual(caught, "open")
    })
  )
})
