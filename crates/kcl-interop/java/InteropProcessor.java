import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import software.amazon.kinesis.exceptions.ShutdownException;
import software.amazon.kinesis.lifecycle.events.InitializationInput;
import software.amazon.kinesis.lifecycle.events.LeaseLostInput;
import software.amazon.kinesis.lifecycle.events.ProcessRecordsInput;
import software.amazon.kinesis.lifecycle.events.ShardEndedInput;
import software.amazon.kinesis.lifecycle.events.ShutdownRequestedInput;
import software.amazon.kinesis.processor.RecordProcessorCheckpointer;
import software.amazon.kinesis.processor.ShardRecordProcessor;
import software.amazon.kinesis.retrieval.KinesisClientRecord;

/** Writes each record into the journal, then checkpoints. */
final class InteropProcessor implements ShardRecordProcessor {
    private static final Logger LOG = LoggerFactory.getLogger(InteropProcessor.class);

    private final Journal journal;
    /** The last user record of the first aggregate to process; no record after it is. Negative: all, of everything. */
    private final long inside;

    private String shard = "-";
    private boolean done;

    InteropProcessor(Journal journal, long inside) {
        this.journal = journal;
        this.inside = inside;
    }

    @Override
    public void initialize(InitializationInput input) {
        shard = input.shardId();
        journal.append(List.of(Journal.line(
                "start",
                shard,
                input.extendedSequenceNumber().sequenceNumber(),
                input.extendedSequenceNumber().subSequenceNumber(),
                "-")));
    }

    @Override
    public void processRecords(ProcessRecordsInput input) {
        List<String> lines = new ArrayList<>();
        KinesisClientRecord last = null;
        for (KinesisClientRecord record : input.records()) {
            if (done) {
                break;
            }
            String id = StandardCharsets.UTF_8.decode(record.data()).toString();
            lines.add(Journal.line("record", shard, record.sequenceNumber(), record.subSequenceNumber(), id));
            last = record;
            done = inside >= 0 && record.aggregated() && record.subSequenceNumber() >= inside;
        }
        if (last == null) {
            return;
        }
        journal.append(lines);
        try {
            input.checkpointer().checkpoint(last.sequenceNumber(), last.subSequenceNumber());
            journal.append(List.of(
                    Journal.line("checkpoint", shard, last.sequenceNumber(), last.subSequenceNumber(), "-")));
        } catch (ShutdownException lost) {
            LOG.info("not checkpointed, the lease is lost: {}", shard);
        } catch (Exception error) {
            LOG.error("not checkpointed: {}", shard, error);
        }
    }

    @Override
    public void leaseLost(LeaseLostInput input) {
        journal.append(List.of(Journal.line("lost", shard)));
    }

    @Override
    public void shardEnded(ShardEndedInput input) {
        journal.append(List.of(Journal.line("ending", shard)));
        checkpoint(input.checkpointer());
    }

    @Override
    public void shutdownRequested(ShutdownRequestedInput input) {
        // Every call of processRecords has checkpointed what it processed.
        journal.append(List.of(Journal.line("shutdown", shard)));
    }

    private void checkpoint(RecordProcessorCheckpointer checkpointer) {
        try {
            checkpointer.checkpoint();
        } catch (ShutdownException lost) {
            LOG.info("the end is not checkpointed, the lease is lost: {}", shard);
        } catch (Exception error) {
            LOG.error("the end is not checkpointed: {}", shard, error);
        }
    }
}
