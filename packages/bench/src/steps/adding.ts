/**
 * Steps that write: bulk adds into a new index, its compaction, and the delete of a
 * ledger.
 */
import * as Fs from "node:fs"
import * as Path from "node:path"
import { makeEntries } from "../Engine.ts"
import type { Session, Values } from "../Session.ts"
import { Workload } from "../Workload.ts"

/** Builds the index from nothing; then closes it, measures it, and opens it again up to its first answer. */
export const add = async (session: Session, turn: number): Promise<Values> => {
  const { host, setup, workload } = session
  session.clear()
  await session.open("usual")
  const milliseconds = await session.add(workload)
  await session.check(workload, turn)
  const close = await host.time(() => session.close())
  const disk = sizeOf(setup.directory) / setup.shape.entries
  const first = makeEntries(1)
  first.ledgerIds[0] = BigInt(setup.shape.firstLedger)
  const open = await host.time(async () => {
    await session.open("usual")
    await session.engine.getEach(first, first.locations)
  })
  workload.check(first, first.locations)
  await session.close()
  return { add: setup.shape.entries / milliseconds, close, disk, open }
}

/** Compacts the index, and measures it when it is closed. */
export const compact = async (session: Session): Promise<Values> => {
  await session.open("usual")
  await session.engine.compact()
  await session.check(session.workload, 0)
  await session.close()
  return { compacted: sizeOf(session.setup.directory) / session.setup.shape.entries }
}

/** Deletes a ledger that was added before. Opens and closes the index, so that no compaction goes on in others' turns. */
export const remove = async (session: Session, turn: number): Promise<Values> => {
  const { setup, workload } = session
  const { deletedEntries: entries } = setup.settings
  const ledgerId = 2 ** 31 + turn
  const flushSize = Math.min(setup.shape.flushSize, entries)
  const ledger = new Workload({ seed: setup.shape.seed, entries, ledgers: 1, flushSize, firstLedger: ledgerId })
  await session.open("usual")
  await session.add(ledger)
  await session.check(ledger, turn)
  const milliseconds = await session.host.time(() => session.engine.deleteLedger(BigInt(ledgerId)))
  await session.checkDeleted(BigInt(ledgerId))
  await session.check(workload, turn)
  await session.close()
  return { delete: milliseconds }
}

/** The size of the files in a directory, in bytes. */
const sizeOf = (directory: string): number =>
  Fs.readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((file) => file.isFile())
    .reduce((size, file) => size + Fs.statSync(Path.join(file.parentPath, file.name)).size, 0)
