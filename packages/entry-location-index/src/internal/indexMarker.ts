/**
 * The file `INDEX` in the directory of a database says that there is an index in
 * it. It is there for the day when the database cannot be read any more: then a
 * rebuild replaces an index, and no other database of this engine.
 */
import * as Fs from "node:fs/promises"
import * as Path from "node:path"

/** The name of the file. */
export const fileName = "INDEX"

/** Marks a directory, if it can be: who has no room or no right to is no worse off than before. */
export const write = async (directory: string): Promise<void> => {
  try {
    await Fs.writeFile(Path.join(directory, fileName), "an index of entry locations of effect-bookie\n", {
      flag: "wx",
      flush: true
    })
  } catch {
    // It is there, mostly.
  }
}
