/**
 * Whether tests may have a small file system of their own: a tmpfs in a mount
 * namespace, which Linux lets root make, and most users. On CI they must.
 */
import { spawnSync } from "node:child_process"

/** Without it the tests of a full disk are skipped. */
export const canMount: boolean = spawnSync("unshare", ["-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]).status === 0

if (!canMount && process.env.CI) throw new Error("The tests of a full disk need a Linux that lets them mount a tmpfs.")
