import { basename } from "node:path";
import { systemClock } from "../src/base/clock.ts";
import { openHttpClient } from "../src/base/http-client.ts";
import { openOciClient } from "../src/oci/client.ts";
import { pushRelease } from "../src/oci/push-release.ts";

const pushTimeoutMs = 300_000;

/**
 * Publishes the file at `path` in each of `repositories` under each of `tags`; as `dewy push` does,
 * without starting it so many times.
 */
export async function publish(
  host: string,
  path: string,
  { repositories, tags }: { repositories: readonly string[]; tags: readonly string[] },
): Promise<void> {
  const http = openHttpClient({ userAgent: "dewy-bench" });
  const credentials = async () => undefined;
  const client = openOciClient({ host, credentials, http, clock: systemClock });
  const call = { signal: AbortSignal.timeout(pushTimeoutMs) };
  const files = [{ path, name: basename(path) }];
  try {
    for (const repository of repositories) {
      for (const tag of tags) {
        await pushRelease(client, { repository, tag, files, created: new Date() }, {}, call);
      }
    }
  } finally {
    http.close();
  }
}
