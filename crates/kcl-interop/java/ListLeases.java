import java.lang.reflect.Constructor;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.TreeSet;
import software.amazon.awssdk.services.dynamodb.DynamoDbAsyncClient;
import software.amazon.awssdk.services.dynamodb.model.BillingMode;
import software.amazon.kinesis.leases.Lease;
import software.amazon.kinesis.leases.LeaseSerializer;
import software.amazon.kinesis.leases.dynamodb.DynamoDBLeaseRefresher;
import software.amazon.kinesis.leases.dynamodb.DynamoDBLeaseSerializer;
import software.amazon.kinesis.leases.dynamodb.TableCreatorCallback;

/** Prints every lease of the tables that are named, a line for each, as the Java library reads it. */
public final class ListLeases {
    private ListLeases() {}

    public static void main(String[] tables) throws Exception {
        for (String table : tables) {
            try {
                for (Lease lease : refresher(table).listLeases()) {
                    System.out.println(String.join(
                            "\t",
                            "lease",
                            table,
                            lease.leaseKey(),
                            lease.leaseOwner() == null ? "-" : lease.leaseOwner(),
                            lease.leaseCounter().toString(),
                            lease.ownerSwitchesSinceCheckpoint().toString(),
                            lease.checkpoint().sequenceNumber(),
                            Long.toString(lease.checkpoint().subSequenceNumber()),
                            joined(lease.parentShardIds()),
                            joined(lease.childShardIds()),
                            range(lease)));
                }
            } catch (Exception error) {
                System.out.println(String.join("\t", "unreadable", table, String.valueOf(error)));
            }
        }
        System.out.flush();
        Runtime.getRuntime().halt(0);
    }

    private static String joined(Collection<String> shards) {
        return shards == null || shards.isEmpty() ? "-" : String.join(",", new TreeSet<>(shards));
    }

    private static String range(Lease lease) {
        return lease.hashKeyRangeForLease() == null
                ? "-"
                : lease.hashKeyRangeForLease().serializedStartingHashKey()
                        + ".."
                        + lease.hashKeyRangeForLease().serializedEndingHashKey();
    }

    /** The constructors differ between the versions of the library; each value belongs to one type. */
    private static DynamoDBLeaseRefresher refresher(String table) throws ReflectiveOperationException {
        Constructor<?> widest = null;
        for (Constructor<?> constructor : DynamoDBLeaseRefresher.class.getConstructors()) {
            if (widest == null || constructor.getParameterCount() > widest.getParameterCount()) {
                widest = constructor;
            }
        }
        List<Object> values = new ArrayList<>();
        for (Class<?> type : widest.getParameterTypes()) {
            values.add(value(type, table));
        }
        return (DynamoDBLeaseRefresher) widest.newInstance(values.toArray());
    }

    private static Object value(Class<?> type, String table) throws ReflectiveOperationException {
        if (type == String.class) {
            return table;
        } else if (type == DynamoDbAsyncClient.class) {
            return Clients.dynamoDb();
        } else if (type == LeaseSerializer.class) {
            return new DynamoDBLeaseSerializer();
        } else if (type == boolean.class) {
            return false;
        } else if (type == TableCreatorCallback.class) {
            return TableCreatorCallback.NOOP_TABLE_CREATOR_CALLBACK;
        } else if (type == Duration.class) {
            return Duration.ofMinutes(1);
        } else if (type == BillingMode.class) {
            return BillingMode.PAY_PER_REQUEST;
        } else if (type == Collection.class) {
            return List.of();
        }
        return type.getDeclaredConstructor().newInstance();
    }
}
