/**
 * Makes the names in a directory durable, which syncing the files does not.
 */
import * as Fs from "node:fs/promises"

/** Brings the names in a directory to disk. */
export const syncDirectory = async (path: string): Promise<void> => {
  // Windows has no descriptor of a directory, and makes its entries durable with the file.
  if (process.platform === "win32") return
  const directory = await Fs.open(path, "r")
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}
