import java.net.URI;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.awscore.client.builder.AwsAsyncClientBuilder;
import software.amazon.awssdk.awscore.client.builder.AwsClientBuilder;
import software.amazon.awssdk.http.Protocol;
import software.amazon.awssdk.http.nio.netty.NettyNioAsyncHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.cloudwatch.CloudWatchAsyncClient;
import software.amazon.awssdk.services.dynamodb.DynamoDbAsyncClient;
import software.amazon.awssdk.services.kinesis.KinesisAsyncClient;

/** Clients of the servers that the environment names. */
final class Clients {
    private Clients() {}

    static KinesisAsyncClient kinesis() {
        return at("AWS_ENDPOINT_URL_KINESIS", KinesisAsyncClient.builder());
    }

    static DynamoDbAsyncClient dynamoDb() {
        return at("AWS_ENDPOINT_URL_DYNAMODB", DynamoDbAsyncClient.builder());
    }

    static CloudWatchAsyncClient cloudWatch() {
        return at("AWS_ENDPOINT_URL_CLOUDWATCH", CloudWatchAsyncClient.builder());
    }

    private static <B extends AwsClientBuilder<B, C> & AwsAsyncClientBuilder<B, C>, C> C at(String variable, B builder) {
        return builder
                .region(Region.US_EAST_1)
                .endpointOverride(URI.create(System.getenv(variable)))
                .credentialsProvider(StaticCredentialsProvider.create(AwsBasicCredentials.create("local", "local")))
                // Over plain HTTP the library's own choice, HTTP/2, is not understood.
                .httpClientBuilder(NettyNioAsyncHttpClient.builder().protocol(Protocol.HTTP1_1))
                .build();
    }
}
