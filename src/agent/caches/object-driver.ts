import { ConfigError } from "../../base/errors.ts";
import { isBucketName } from "../../objects/bucket-name.ts";
import { openGcsStore } from "../../objects/gcs.ts";
import { openS3Store } from "../../objects/s3.ts";
import { s3EndpointIn } from "../../objects/s3-endpoint.ts";
import { type CacheUrl, parseCacheQuery, refuseUser, Text, unescaped } from "./cache-url.ts";
import { type OpenCacheDriver, remoteDriver } from "./driver.ts";
import { openObjectCache } from "./objects.ts";

const defaultMaximumBytes = 10 * 1024 ** 3;

/** `s3://region/bucket[/prefix][?endpoint=]` */
export const openS3Driver: OpenCacheDriver = async (url, parts) => {
  refuseUser(url, "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
  const query = parseCacheQuery(url, { endpoint: Text });
  const [region = "", ...rest] = segmentsOf(url);
  const { bucket, prefix } = bucketIn(url, rest, "s3://region/bucket/prefix");
  if (!/^[a-z0-9-]+$/.test(region)) {
    throw new ConfigError(`--cache: s3://${url.place} does not begin with a region`, {
      hint: "write it as s3://region/bucket/prefix, such as s3://eu-west-1/caches/dewy",
    });
  }
  const { environment, http, clock } = parts;
  const endpoint = s3EndpointIn("--cache: endpoint", query.endpoint, environment);
  const store = openS3Store({ region, bucket, endpoint, environment, http, clock });
  const maximumBytes = query["max-size"] ?? defaultMaximumBytes;
  const name = `s3://${url.place}`;
  const cache = openObjectCache({ name, store, prefix, maximumBytes });
  return remoteDriver(cache, query["registry-ttl"], parts);
};

/** `gs://bucket[/prefix]` */
export const openGcsDriver: OpenCacheDriver = async (url, parts) => {
  refuseUser(url, "set GOOGLE_APPLICATION_CREDENTIALS");
  const query = parseCacheQuery(url, {});
  const { bucket, prefix } = bucketIn(url, segmentsOf(url), "gs://bucket/prefix");
  const { environment, http, clock } = parts;
  const store = openGcsStore({ bucket, environment, http, clock });
  const maximumBytes = query["max-size"] ?? defaultMaximumBytes;
  const name = `gs://${url.place}`;
  const cache = openObjectCache({ name, store, prefix, maximumBytes });
  return remoteDriver(cache, query["registry-ttl"], parts);
};

const segmentsOf = ({ place }: CacheUrl): string[] => place.split("/").map(unescaped);

function bucketIn({ scheme, place }: CacheUrl, segments: readonly string[], example: string) {
  const [bucket = "", ...parts] = segments;
  const isPlain = parts.every((part) => !["", ".", ".."].includes(part));
  if (!isBucketName(bucket) || !isPlain) {
    throw new ConfigError(`--cache: ${scheme}://${place} is not a bucket and a prefix`, {
      hint: `write it as ${example}`,
    });
  }
  return { bucket, prefix: parts.map((part) => `${part}/`).join("") };
}
