import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import software.amazon.awssdk.services.kinesis.KinesisAsyncClient;
import software.amazon.kinesis.common.ConfigsBuilder;
import software.amazon.kinesis.common.InitialPositionInStream;
import software.amazon.kinesis.common.InitialPositionInStreamExtended;
import software.amazon.kinesis.coordinator.CoordinatorConfig;
import software.amazon.kinesis.coordinator.Scheduler;
import software.amazon.kinesis.leases.LeaseManagementConfig;
import software.amazon.kinesis.processor.SingleStreamTracker;
import software.amazon.kinesis.retrieval.RetrievalConfig;
import software.amazon.kinesis.retrieval.polling.PollingConfig;

/**
 * A worker of the Java library, nothing added: {@code --stream S --table T --worker W --file F --failover-millis N
 * [--sync-seconds N] [--inside K]}. The line "stop" on standard input ends it gracefully, the end of standard input at once.
 */
public final class InteropWorker {
    private InteropWorker() {}

    public static void main(String[] arguments) throws Exception {
        Map<String, String> options = new HashMap<>();
        for (int i = 0; i + 1 < arguments.length; i += 2) {
            options.put(arguments[i], arguments[i + 1]);
        }
        Scheduler scheduler = scheduler(options);
        Thread worker = new Thread(scheduler, "scheduler");
        worker.setDaemon(true);
        worker.start();

        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
        if (!"stop".equals(input.readLine())) {
            Runtime.getRuntime().halt(1);
        }
        new Thread(() -> haltAtEnd(input), "standard-input").start();
        try {
            // What it yields is false at times although every processor was told and has ended: the worker's end counts.
            scheduler.startGracefulShutdown().get(15, TimeUnit.SECONDS);
        } catch (TimeoutException finished) {
            // 2.5.8: a worker that holds the lease of a finished shard waits for it in vain.
            scheduler.shutdown();
        }
        worker.join(30_000);
        Runtime.getRuntime().halt(worker.isAlive() ? 2 : 0);
    }

    private static Scheduler scheduler(Map<String, String> options) throws IOException {
        Journal journal = new Journal(Path.of(options.get("--file")));
        long inside = Long.parseLong(options.getOrDefault("--inside", "-1"));
        long syncSeconds = Long.parseLong(options.getOrDefault("--sync-seconds", "5"));
        long failover = Long.parseLong(options.get("--failover-millis"));
        String stream = options.get("--stream");
        InitialPositionInStreamExtended oldest =
                InitialPositionInStreamExtended.newInitialPosition(InitialPositionInStream.TRIM_HORIZON);
        KinesisAsyncClient kinesis = Clients.kinesis();
        ConfigsBuilder configs = new ConfigsBuilder(
                new SingleStreamTracker(stream, oldest),
                options.get("--table"),
                kinesis,
                Clients.dynamoDb(),
                Clients.cloudWatch(),
                options.get("--worker"),
                () -> new InteropProcessor(journal, inside));

        CoordinatorConfig coordinator =
                configs.coordinatorConfig().parentShardPollIntervalMillis(1_000).shardConsumerDispatchPollIntervalMillis(250);
        compatibleWith2x(coordinator);
        LeaseManagementConfig leases = configs.leaseManagementConfig()
                .failoverTimeMillis(failover)
                .shardSyncIntervalMillis(1_000)
                .leasesRecoveryAuditorExecutionFrequencyMillis(syncSeconds * 1_000);
        RetrievalConfig retrieval = configs.retrievalConfig()
                .retrievalSpecificConfig(new PollingConfig(stream, kinesis).idleTimeBetweenReadsInMillis(500));
        return new Scheduler(
                configs.checkpointConfig(),
                coordinator,
                leases,
                configs.lifecycleConfig(),
                configs.metricsConfig(),
                configs.processorConfig(),
                retrieval);
    }

    /** Version 3 has a setting for sharing a table with version 2; version 2 has no such class. */
    private static void compatibleWith2x(CoordinatorConfig coordinator) {
        try {
            Class<?> versions = Class.forName(CoordinatorConfig.class.getName() + "$ClientVersionConfig");
            Object compatible = versions.getField("CLIENT_VERSION_CONFIG_COMPATIBLE_WITH_2X").get(null);
            CoordinatorConfig.class.getMethod("clientVersionConfig", versions).invoke(coordinator, compatible);
        } catch (ClassNotFoundException version2) {
            return;
        } catch (ReflectiveOperationException error) {
            throw new IllegalStateException(error);
        }
    }

    private static void haltAtEnd(BufferedReader input) {
        try {
            while (input.readLine() != null) {
                // Only its end matters.
            }
        } catch (IOException gone) {
            // As good as its end.
        }
        Runtime.getRuntime().halt(1);
    }
}
