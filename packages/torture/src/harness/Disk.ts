/**
 * A disk of its own for a process: an ext4 on a loop device over a file, the
 * image. It can begin to fail and stop failing, and lose its power: what the
 * kernel had not written to the image is gone then. Only root may do that.
 */
import { spawnSync } from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import type { Command } from "./Process.ts"

/** A disk, and where it is mounted. */
export interface Disk {
  readonly image: string
  readonly directory: string
}

/** The disk of a directory. */
export const of = (directory: string): Disk => ({
  image: Path.join(directory, "image"),
  directory: Path.join(directory, "disk")
})

/** How a disk is. */
export interface Options {
  /** Whether its file system has one, so that the loss of power leaves it whole. Without, only the data of files fails. */
  readonly journal: boolean
  /** At most 128 MiB: one block group, whose head holds all that the file system needs. */
  readonly mebibytes: number
}

/** Makes an empty disk. */
export const format = ({ directory, image }: Disk, { journal, mebibytes }: Options): void => {
  Fs.mkdirSync(directory, { recursive: true })
  Fs.writeFileSync(image, "")
  Fs.truncateSync(image, mebibytes * 1024 * 1024)
  const features = `^resize_inode${journal ? "" : ",^has_journal"}`
  run("mkfs.ext4", "-q", "-F", "-b", "4096", "-N", "1024", "-m", "0", "-O", features, image)
}

/** Runs a command that finds the disk mounted; when it ends, the disk is unmounted. */
export const mounted = ({ directory, image }: Disk, { argv, env }: Command): Command => ({
  argv: [
    "unshare",
    "-m",
    "sh",
    "-c",
    `mount -o loop "$1" "$2" && shift 2 && exec "$@"`,
    "sh",
    image,
    directory,
    ...argv
  ],
  env
})

/**
 * The same, but a SIGTERM kills the command and then takes the power away: the image is copied as it is, before the disk
 * is unmounted. The kernel writes on its own only after half a minute, so until then it holds what was synced.
 */
export const powered = ({ directory, image }: Disk, after: string, { argv, env }: Command): Command => ({
  argv: ["unshare", "-m", "sh", "-c", losePower, "sh", image, directory, after, ...argv],
  env
})

const losePower = `
  mount -o loop,commit=600 "$1" "$2" || exit 1
  image=$1 after=$3
  shift 3
  "$@" &
  child=$!
  trap 'kill -KILL $child' TERM
  wait $child
  wait $child
  status=$?
  cp --sparse=always "$image" "$after"
  exit $status
`

/** Whether this system lets us have such disks. */
export const isPossible = (directory: string): boolean => {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return false
  const disk = of(directory)
  try {
    format(disk, { journal: true, mebibytes: 24 })
  } catch {
    return false
  }
  const [file, ...args] = mounted(disk, { argv: ["true"] }).argv
  return spawnSync(file, args).status === 0
}

/** Lets everything behind a place of the image, in bytes, fail with EIO: the device ends there. */
export const fail = ({ directory, image }: Disk, from: number): void => {
  // Frozen, nothing is written between the copy and the cut.
  run("fsfreeze", "--freeze", directory)
  try {
    Fs.writeFileSync(`${image}.tail`, Fs.readFileSync(image).subarray(from))
    Fs.truncateSync(image, from)
    takeSize(image)
  } finally {
    run("fsfreeze", "--unfreeze", directory)
  }
  forget()
}

/** Mends the disk. */
export const mend = ({ image }: Disk): void => {
  Fs.appendFileSync(image, Fs.readFileSync(`${image}.tail`))
  takeSize(image)
  forget()
}

/** Tells the loop device of an image how long that is. */
const takeSize = (image: string): void => {
  const device = run("losetup", "--noheadings", "--output", "NAME", "--associated", image).trim()
  run("losetup", "--set-capacity", device)
}

/** Lets the kernel read from the disk again what it has in memory. */
const forget = (): void => Fs.writeFileSync("/proc/sys/vm/drop_caches", "1")

const run = (file: string, ...args: ReadonlyArray<string>): string => {
  const { error, status, stderr, stdout } = spawnSync(file, args, { encoding: "utf8" })
  if (status !== 0) throw new Error(`${file} ${args.join(" ")}: ${error?.message ?? stderr}`)
  return stdout
}
