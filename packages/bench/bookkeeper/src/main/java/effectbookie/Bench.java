package effectbookie;

import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.FileOutputStream;
import java.io.FileDescriptor;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import org.apache.bookkeeper.bookie.Bookie;
import org.apache.bookkeeper.bookie.storage.ldb.EntryLocationIndex;
import org.apache.bookkeeper.bookie.storage.ldb.KeyValueStorage;
import org.apache.bookkeeper.bookie.storage.ldb.KeyValueStorageRocksDB;
import org.apache.bookkeeper.conf.ServerConfiguration;
import org.apache.bookkeeper.stats.NullStatsLogger;

/**
 * Works an EntryLocationIndex as it is told to on the standard input, and says how long that took.
 *
 * <p>A request is a command and its parameters: an int, the number of parameters (an int), and each of
 * them (a long). An answer is the time in nanoseconds (a long), the number of results (an int), and each
 * of them (a long). Reading requests and writing answers is no part of the time.
 */
public final class Bench {
    private static final long ABSENT = -1;
    private static final long[] NOTHING = {};

    private EntryLocationIndex index;
    private long nanoseconds;

    private Bench() {
    }

    /** Answers requests to the end of the standard input. */
    public static void main(String[] arguments) throws Exception {
        DataInputStream in = new DataInputStream(new BufferedInputStream(System.in, 1 << 16));
        DataOutputStream out = new DataOutputStream(
                new BufferedOutputStream(new FileOutputStream(FileDescriptor.out), 1 << 16));
        // Whatever a library prints must not be taken for an answer.
        System.setOut(System.err);
        Bench bench = new Bench();
        while (true) {
            int command;
            try {
                command = in.readInt();
            } catch (EOFException end) {
                System.exit(0);
                return;
            }
            long[] parameters = new long[in.readInt()];
            for (int at = 0; at < parameters.length; at++) {
                parameters[at] = in.readLong();
            }
            long[] results = bench.run(command, parameters);
            out.writeLong(bench.nanoseconds);
            out.writeInt(results.length);
            for (long result : results) {
                out.writeLong(result);
            }
            out.flush();
        }
    }

    private long[] run(int command, long[] parameters) throws IOException {
        long start = System.nanoTime();
        try {
            switch (command) {
                case 1: return open(parameters);
                case 2: return close();
                case 3: return add(parameters);
                case 4: return get(parameters);
                case 5: return scan(parameters[0]);
                case 6: return last(parameters);
                case 7: return delete(parameters[0]);
                case 8: return compact();
                default: throw new IllegalArgumentException("there is no command " + command);
            }
        } finally {
            nanoseconds = System.nanoTime() - start;
        }
    }

    /** Opens an index with BookKeeper's defaults but for the size of its block cache. */
    private long[] open(long[] cacheSizeAndPath) throws IOException {
        byte[] path = new byte[cacheSizeAndPath.length - 1];
        for (int at = 0; at < path.length; at++) {
            path[at] = (byte) cacheSizeAndPath[at + 1];
        }
        ServerConfiguration configuration = new ServerConfiguration();
        configuration.setProperty("dbStorage_rocksDB_blockCacheSize", cacheSizeAndPath[0]);
        index = new EntryLocationIndex(configuration, KeyValueStorageRocksDB::new,
                new String(path, StandardCharsets.UTF_8), NullStatsLogger.INSTANCE);
        return NOTHING;
    }

    private long[] close() throws IOException {
        index.close();
        return NOTHING;
    }

    /** Adds triples of ledger, entry and location as one flush. */
    private long[] add(long[] entries) throws IOException {
        try (KeyValueStorage.Batch batch = index.newBatch()) {
            for (int at = 0; at < entries.length; at += 3) {
                index.addLocation(batch, entries[at], entries[at + 1], entries[at + 2]);
            }
            // A batch flushes itself at 100,000 entries; another flush would only sync once more.
            if (batch.batchCount() > 0) {
                batch.flush();
            }
        }
        return NOTHING;
    }

    /** The location of each pair of ledger and entry. */
    private long[] get(long[] ids) throws IOException {
        long[] locations = new long[ids.length / 2];
        for (int at = 0; at < locations.length; at++) {
            locations[at] = locationOrAbsent(ids[2 * at], ids[2 * at + 1]);
        }
        return locations;
    }

    /** The ids of the entries of a ledger, then their locations, as the shell of BookKeeper finds them. */
    private long[] scan(long ledgerId) throws IOException {
        long last = lastOrAbsent(ledgerId);
        long[] found = new long[2 * (int) (last + 1)];
        int count = 0;
        for (long entryId = 0; entryId <= last; entryId++) {
            long location = locationOrAbsent(ledgerId, entryId);
            if (location != ABSENT) {
                found[count] = entryId;
                found[(int) last + 1 + count] = location;
                count += 1;
            }
        }
        if (count != last + 1) {
            throw new IllegalStateException("ledger " + ledgerId + " has gaps");
        }
        return found;
    }

    private long[] last(long[] ledgerIds) throws IOException {
        long[] entryIds = new long[ledgerIds.length];
        for (int at = 0; at < entryIds.length; at++) {
            entryIds[at] = lastOrAbsent(ledgerIds[at]);
        }
        return entryIds;
    }

    /** Marks a ledger as deleted, and does what BookKeeper does at its next checkpoint to make that durable. */
    private long[] delete(long ledgerId) throws IOException {
        index.delete(ledgerId);
        index.removeOffsetFromDeletedLedgers();
        return NOTHING;
    }

    private long[] compact() throws IOException {
        index.compact();
        return NOTHING;
    }

    private long locationOrAbsent(long ledgerId, long entryId) throws IOException {
        long location = index.getLocation(ledgerId, entryId);
        return location == 0 ? ABSENT : location;
    }

    private long lastOrAbsent(long ledgerId) throws IOException {
        try {
            return index.getLastEntryInLedger(ledgerId);
        } catch (Bookie.NoEntryException noEntries) {
            return ABSENT;
        }
    }
}
