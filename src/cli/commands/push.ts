import { basename, resolve } from "node:path";
import * as v from "valibot";
import { platformOf } from "../../agent/choose/platform.ts";
import { asConfigError, ConfigError } from "../../base/errors.ts";
import { openHttpClient } from "../../base/http-client.ts";
import { openOciClient } from "../../oci/client.ts";
import { credentialsFrom } from "../../oci/credentials.ts";
import { OciError } from "../../oci/error.ts";
import { type PushFile, pushRelease } from "../../oci/push-release.ts";
import { parseReference, type Reference } from "../../oci/reference.ts";
import type { ReleasePlatform } from "../../oci/release-artifact.ts";
import { type CommandContext, command } from "../command.ts";
import { progressBar } from "../progress-bar.ts";
import { version } from "../version.ts";

const example = "dewy push app_linux_amd64.tar.gz img://registry.example.com/app:v1.2.3";

export const push = command({
  operands: "[files-and-target...]",
  completes: "file",
  flags: {
    platform: {
      value: "OS/ARCH",
      help: "the platform of the files whose names do not tell it, such as linux/amd64",
    },
    insecure: { help: "speak plain HTTP, as is done with loopback hosts anyway" },
  },
  epilogue:
    "Archives or single files, each for the platform its name tells, and then where to:\n" +
    `  ${example}`,
  input: v.strictObject({
    platform: v.optional(
      v.pipe(
        v.string(),
        v.regex(/^[a-z0-9]+\/[a-z0-9_]+(\/v\d+)?$/, "write it as linux/amd64 or linux/arm/v7"),
      ),
    ),
    insecure: v.optional(v.boolean(), false),
    operands: v.array(v.string()),
  }),

  async run({ platform, insecure, operands }, context) {
    const { files, target } = sortOut(operands, platform, context.directory);
    const http = openHttpClient({
      userAgent: `dewy/${version()}`,
      environment: context.environment,
    });
    try {
      const client = openOciClient({
        host: target.host,
        plainHttp: insecure || undefined,
        credentials: credentialsFrom(context.environment, { http, clock: context.clock }),
        http,
        clock: context.clock,
      });
      await publish(client, target, files, context);
    } finally {
      http.close();
    }
  },
});

async function publish(
  client: Parameters<typeof pushRelease>[0],
  { host, repository, tag }: Target,
  files: readonly PushFile[],
  context: CommandContext,
): Promise<void> {
  const bar = progressBar(context.terminal);
  try {
    const pushed = await pushRelease(
      client,
      { repository, tag, files, created: context.clock.now() },
      { onProgress: bar.show },
      context,
    );
    bar.clear();
    for (const { name, platform } of files) {
      context.print(`${name}  ${platform ? wordsOf(platform) : "any platform"}`);
    }
    context.print(`img://${host}/${repository}:${pushed.tag}  ${pushed.digest}`);
  } finally {
    bar.clear();
  }
}

type Target = Pick<Reference, "host" | "repository"> & { tag: string };

/** The files, each with its platform, and the place they go to. */
function sortOut(
  operands: readonly string[],
  platform: string | undefined,
  directory: string,
): { files: PushFile[]; target: Target } {
  const paths = operands.slice(0, -1);
  const target = operands.at(-1);
  if (target === undefined || (paths.length === 0 && target.startsWith("img://"))) {
    throw new ConfigError("name at least one file to push", { hint: `as in: ${example}` });
  }
  if (!target.startsWith("img://")) {
    const shown = target.replace(/^.*@/s, "***@"); // it may hold a password
    throw new ConfigError(`the last word says where to push, and ${shown} is not an img:// URL`, {
      hint: `as in: ${example}`,
    });
  }
  return {
    files: paths.map((path) => ({
      path: resolve(directory, path),
      name: basename(path),
      platform: platformOf(basename(path)) ?? parsedPlatform(platform),
    })),
    target: parsedTarget(target),
  };
}

function parsedTarget(url: string): Target {
  const { host, repository, tag, digest } = referenceIn(url);
  if (digest !== undefined) {
    throw new ConfigError(`${url} names a digest, which a push finds out by itself`, {
      hint: "leave out what begins with @",
    });
  }
  if (tag === undefined) {
    throw new ConfigError(`${url} has no tag`, {
      hint: `write the version behind a colon: ${url}:v1.0.0`,
    });
  }
  return { host, repository, tag };
}

function referenceIn(url: string): Reference {
  try {
    return parseReference(url.slice("img://".length).replace("+", "_"));
  } catch (error) {
    throw error instanceof OciError ? asConfigError(error) : error;
  }
}

function parsedPlatform(text: string | undefined): ReleasePlatform | undefined {
  if (text === undefined) return undefined;
  // In the words that a host looks for: `linux/aarch64` is `linux/arm64`.
  const known = platformOf(text.replace("/v", "v"));
  if (known) return known;
  const [os = "", architecture = "", variant] = text.split("/");
  return { os, architecture, ...(variant !== undefined && { variant }) };
}

function wordsOf({ os, architecture, variant }: ReleasePlatform): string {
  return [os, architecture, ...(variant ? [variant] : [])].join("/");
}
