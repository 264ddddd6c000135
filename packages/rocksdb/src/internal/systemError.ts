/**
 * The operating system's own name for what went wrong, such as `EMFILE`, and
 * what is to be done about it.
 *
 * RocksDB has it as the text of strerror(3) alone, at the end of its message
 * (`IOErrorMsg` in `env/io_posix.cc`): "While open a file for random read:
 * /data/MANIFEST-000005: Too many open files". The code of a binding's error is
 * no help there. It names the kind of RocksDB's status, which is EIO for most.
 */
import * as Os from "node:os"
import * as Thrown from "./thrown.ts"

/** What the operating system may say of a call, and what to do about it. */
export interface Trouble {
  /** Whether it may pass although nobody does anything. */
  readonly passes: boolean
  /** Whether RocksDB works again once it is over; else only who opens the database anew can tell. */
  readonly ends: boolean
  readonly advice: string
}

/** What is to be done about a code; `undefined` where it says too little of itself. */
export const troubleOf = (code: string): Trouble | undefined => troubles.get(code)

/** The code of an error of Node or RocksDB, if the operating system has refused something. */
export const codeOf = (cause: unknown, text: string = Thrown.messageOf(cause)): string | undefined => {
  const inText = text.match(strerror)?.at(-1)
  if (inText !== undefined) return codes.get(inText.slice(2))
  const code = nameOf(cause)
  if (code === undefined || !/^E[A-Z0-9]+$/.test(code)) return undefined
  const isOfNode = Thrown.property(cause, "syscall") !== undefined || text.startsWith(`${code}:`)
  return isOfNode || !ofStatus.has(code) ? code : undefined
}

/** The code that an error has, by its name also where libuv has none for it, as for ENOLCK. */
export const nameOf = (cause: unknown): string | undefined => {
  const code = Thrown.codeOf(cause)
  const number = /^Unknown system error -(\d+)$/.exec(code ?? "")?.[1]
  return number === undefined ? code : (names.get(Number(number)) ?? code)
}

/** What `rocksdb-native` makes of RocksDB's statuses, whether the operating system has said so or not. */
const ofStatus = new Set(["EIO", "EINVAL", "ENOENT", "ENOSYS", "EFBIG", "ECANCELED", "ESHUTDOWN", "UNKNOWN"])

const names = new Map(Object.entries(Os.constants.errno).map(([name, number]) => [number, name]))

/** The texts of strerror(3), of glibc, musl and macOS. */
const codes: ReadonlyMap<string, string> = new Map([
  ["Too many open files", "EMFILE"],
  ["No file descriptors available", "EMFILE"],
  ["Too many open files in system", "ENFILE"],
  ["Resource temporarily unavailable", "EAGAIN"],
  ["Interrupted system call", "EINTR"],
  ["Cannot allocate memory", "ENOMEM"],
  ["Out of memory", "ENOMEM"],
  ["Device or resource busy", "EBUSY"],
  ["Resource busy", "EBUSY"],
  ["Text file busy", "ETXTBSY"],
  ["No buffer space available", "ENOBUFS"],
  ["Connection timed out", "ETIMEDOUT"],
  ["Operation timed out", "ETIMEDOUT"],
  ["Input/output error", "EIO"],
  ["I/O error", "EIO"],
  ["Remote I/O error", "EREMOTEIO"],
  ["No such device or address", "ENXIO"],
  ["Device not configured", "ENXIO"],
  ["No such device", "ENODEV"],
  ["No medium found", "ENOMEDIUM"],
  ["Structure needs cleaning", "EUCLEAN"],
  ["Bad message", "EBADMSG"],
  ["No space left on device", "ENOSPC"],
  ["Disk quota exceeded", "EDQUOT"],
  ["Quota exceeded", "EDQUOT"],
  ["Disc quota exceeded", "EDQUOT"],
  ["Permission denied", "EACCES"],
  ["Operation not permitted", "EPERM"],
  ["Read-only file system", "EROFS"],
  ["File too large", "EFBIG"],
  ["Stale file handle", "ESTALE"],
  ["Stale NFS file handle", "ESTALE"],
  ["Transport endpoint is not connected", "ENOTCONN"],
  ["Socket not connected", "ENOTCONN"],
  ["Cannot send after transport endpoint shutdown", "ESHUTDOWN"],
  ["Host is down", "EHOSTDOWN"],
  ["No route to host", "EHOSTUNREACH"],
  ["Network is down", "ENETDOWN"],
  ["Network is unreachable", "ENETUNREACH"],
  ["Connection refused", "ECONNREFUSED"],
  ["Connection reset by peer", "ECONNRESET"],
  ["Software caused connection abort", "ECONNABORTED"],
  ["No such file or directory", "ENOENT"],
  ["Not a directory", "ENOTDIR"],
  ["Is a directory", "EISDIR"],
  ["File name too long", "ENAMETOOLONG"],
  ["Too many levels of symbolic links", "ELOOP"],
  ["No locks available", "ENOLCK"],
  ["Operation not supported", "ENOTSUP"],
  ["Function not implemented", "ENOSYS"],
  ["Invalid argument", "EINVAL"]
])

/** One of the texts where RocksDB puts it: after the name of the file, at the end or before what it adds. */
const strerror = new RegExp(
  `: (?:${[...codes.keys()].toSorted((left, right) => right.length - left.length).join("|")})(?=$|\\n|[.,;)]| {2}| in file )`,
  "g"
)

const groups: ReadonlyArray<Trouble & { readonly of: ReadonlyArray<string> }> = [
  {
    of: ["EMFILE", "ENFILE"],
    passes: true,
    ends: true,
    advice: "Nothing is damaged: close some files, let more be open (ulimit -n) or lower maxOpenFiles, and try again."
  },
  {
    of: ["EAGAIN", "EINTR", "EBUSY", "ETXTBSY", "ENOBUFS"],
    passes: true,
    ends: true,
    advice: "Nothing is damaged: the operating system could not do it at that moment, so try again."
  },
  {
    of: ["ENOMEM"],
    passes: true,
    ends: true,
    advice: "Nothing is damaged: the machine is short of memory, so free some, and try again."
  },
  {
    of: ["ETIMEDOUT"],
    passes: true,
    ends: true,
    advice: "The device or the network did not answer in time: look after it, and try again."
  },
  {
    of: ["EIO", "EREMOTEIO", "ENXIO", "ENODEV", "ENOMEDIUM", "EUCLEAN", "EBADMSG"],
    passes: false,
    ends: true,
    advice:
      "The device or its file system failed: see what the kernel's log says of it. That alone does not mean that the " +
      "files are damaged; once the device works, try again, and open the database anew if that does not help."
  },
  {
    of: ["EACCES", "EPERM"],
    passes: false,
    ends: true,
    advice: "Let this user read and write the directory and its files."
  },
  {
    of: ["EROFS"],
    passes: false,
    ends: true,
    advice: "The file system takes no writes: mount it for writing, or open the database read-only."
  },
  {
    of: ["EFBIG"],
    passes: false,
    ends: false,
    advice: "Let this process write larger files (ulimit -f), and open the database anew."
  },
  {
    of: [
      "ESTALE",
      "ENOTCONN",
      "ESHUTDOWN",
      "EHOSTDOWN",
      "EHOSTUNREACH",
      "ENETDOWN",
      "ENETUNREACH",
      "ECONNREFUSED",
      "ECONNRESET",
      "ECONNABORTED"
    ],
    passes: false,
    ends: true,
    advice: "The file system has gone away: mount it again, and open the database anew if that does not help."
  },
  {
    of: ["ENOTDIR", "EISDIR", "ENAMETOOLONG", "ELOOP"],
    passes: false,
    ends: false,
    advice: "Check the path."
  },
  {
    of: ["ENOLCK", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EINVAL"],
    passes: false,
    ends: false,
    advice: "The file system cannot do what RocksDB asks for: put the database on another one, such as a local disk."
  }
]

const troubles = new Map(groups.flatMap(({ of, ...trouble }) => of.map((code) => [code, trouble] as const)))
