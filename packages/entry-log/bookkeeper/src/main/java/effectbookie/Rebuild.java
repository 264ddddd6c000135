package effectbookie;

import com.google.protobuf.ByteString;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SortedSet;
import java.util.TreeSet;
import org.apache.bookkeeper.bookie.Bookie;
import org.apache.bookkeeper.bookie.BookieImpl;
import org.apache.bookkeeper.bookie.DefaultEntryLogger;
import org.apache.bookkeeper.bookie.storage.ldb.DbLedgerStorageDataFormats.LedgerData;
import org.apache.bookkeeper.bookie.storage.ldb.EntryLocationIndex;
import org.apache.bookkeeper.bookie.storage.ldb.KeyValueStorage;
import org.apache.bookkeeper.bookie.storage.ldb.KeyValueStorageFactory.DbConfigType;
import org.apache.bookkeeper.bookie.storage.ldb.KeyValueStorageRocksDB;
import org.apache.bookkeeper.bookie.storage.ldb.LedgerMetadataIndex;
import org.apache.bookkeeper.bookie.storage.ldb.LocationsIndexRebuildOp;
import org.apache.bookkeeper.conf.ServerConfiguration;
import org.apache.bookkeeper.stats.NullStatsLogger;

/** BookKeeper's own rebuild of its index, and what the index then answers. */
final class Rebuild {
    private Rebuild() {
    }

    /**
     * Rebuilds an index of the logs in a directory and prints the location of each of its entries by
     * ledger and entry id, then, after an empty line, the last entry of each ledger.
     */
    static void run(Path directory, Path indexDirectory, PrintStream out) throws Exception {
        try (LogDirectory logs = new LogDirectory(directory)) {
            ServerConfiguration configuration = logs.configuration()
                    .setIndexDirName(new String[] {indexDirectory.toString()});
            Path current = BookieImpl.getCurrentDirectory(indexDirectory.toFile()).toPath();
            SortedSet<Long> ledgers = ledgersOf(logs);
            // The rebuild takes the ledgers that exist from one index, and moves the other away.
            Files.createDirectories(current.resolve("locations"));
            writeLedgers(configuration, current, ledgers);
            new LocationsIndexRebuildOp(configuration).initiate();
            print(configuration, current, ledgers, out);
        }
    }

    private static SortedSet<Long> ledgersOf(LogDirectory logs) throws IOException {
        SortedSet<Long> ledgers = new TreeSet<>();
        try (DefaultEntryLogger logger = logs.open()) {
            LogDirectory.scan(logger, (location, entry) -> ledgers.add(entry.getLong(entry.readerIndex())));
        }
        return ledgers;
    }

    private static void writeLedgers(ServerConfiguration configuration, Path current, SortedSet<Long> ledgers)
            throws IOException {
        try (LedgerMetadataIndex index = new LedgerMetadataIndex(configuration, KeyValueStorageRocksDB::new,
                current.toString(), NullStatsLogger.INSTANCE)) {
            LedgerData exists = LedgerData.newBuilder().setExists(true).setFenced(false)
                    .setMasterKey(ByteString.EMPTY).build();
            for (long ledgerId : ledgers) {
                index.set(ledgerId, exists);
            }
            index.flush();
        }
    }

    private static void print(ServerConfiguration configuration, Path current, SortedSet<Long> ledgers,
            PrintStream out) throws Exception {
        List<byte[]> keys = keysOf(configuration, current);
        try (EntryLocationIndex index = new EntryLocationIndex(configuration, KeyValueStorageRocksDB::new,
                current.toString(), NullStatsLogger.INSTANCE)) {
            out.println("ledger\tentry\tlocation");
            for (byte[] key : keys) {
                long ledgerId = ByteBuffer.wrap(key).getLong();
                long entryId = ByteBuffer.wrap(key).getLong(8);
                out.println(ledgerId + "\t" + entryId + "\t" + index.getLocation(ledgerId, entryId));
            }
            out.println();
            out.println("ledger\tlastEntry");
            for (long ledgerId : ledgers) {
                out.println(ledgerId + "\t" + lastEntryOf(index, ledgerId));
            }
        }
    }

    /** BookKeeper looks below 2^63-1, so it does not find that entry, nor a ledger that has no other one. */
    private static String lastEntryOf(EntryLocationIndex index, long ledgerId) throws IOException {
        try {
            return Long.toString(index.getLastEntryInLedger(ledgerId));
        } catch (Bookie.NoEntryException missing) {
            return "-";
        }
    }

    /** All that is in the index, not only what it is asked for. */
    private static List<byte[]> keysOf(ServerConfiguration configuration, Path current) throws IOException {
        List<byte[]> keys = new ArrayList<>();
        try (KeyValueStorage storage = new KeyValueStorageRocksDB(current.toString(), "locations",
                DbConfigType.EntryLocation, configuration);
                KeyValueStorage.CloseableIterator<byte[]> iterator = storage.keys()) {
            while (iterator.hasNext()) {
                keys.add(iterator.next());
            }
        }
        return keys;
    }
}
