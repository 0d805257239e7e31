import type { Call } from "../../base/call.ts";
import { ConfigError } from "../../base/errors.ts";
import type { ArtifactRules } from "../choose/artifact.ts";
import { type Artifact, type OpenedArtifact, ReleaseRegistryError } from "../release.ts";
import type { ArtifactSource, OpenArtifactUrl } from "./artifact-source.ts";
import type { RegistryParts } from "./parts.ts";
import { failure } from "./registry-failure.ts";

export interface AnnouncedArtifactsOptions {
  /** For errors: the registry that announces. */
  name: string;
  parts: RegistryParts;
  rules: ArtifactRules;
  openArtifactUrl: OpenArtifactUrl;
}

/** The artifacts that a registry announces by URLs to other places. */
export interface AnnouncedArtifacts {
  /** Asks the place once for each announcement, so that an idle poll costs nothing there. */
  find(announced: { id: string; artifactUrl: string }, call: Call): Promise<Artifact>;
  open(artifact: Artifact, call: Call & { from: number }): Promise<OpenedArtifact>;
  /** The announcement's id; `undefined` when that is too long ago. */
  idOf(identity: string): string | undefined;
  close(): Promise<void>;
}

interface Found {
  id: string;
  /** What it was found by; `undefined` once it turned out to be there no more. */
  url: string | undefined;
  source: ArtifactSource;
  artifact: Artifact;
  original: Artifact;
}

/** The current one, and those that are still being fetched or reported. */
const remembered = 4;

export function openAnnouncedArtifacts(options: AnnouncedArtifactsOptions): AnnouncedArtifacts {
  const { name, rules } = options;
  const known = new Map<string, Found>();

  return {
    async find({ id, artifactUrl: url }, call) {
      const identity = `${id} ${withoutSecrets(url)}`.trim();
      const before = known.get(identity);
      if (before?.url === url) return before.artifact;
      const source = await openedSource(options, url);
      const original = await source.stat(call).catch(async (error) => {
        await source.close();
        throw error;
      });
      const shown = withoutSecrets(url);
      // The server knows which platform asked: whatever the name says, it is for this one.
      const artifact = { ...original, platform: rules.platform, identity, url: shown };
      await before?.source.close();
      known.delete(identity);
      known.set(identity, { id, url, source, artifact, original });
      await forgetOldest();
      return artifact;
    },

    async open(artifact, call) {
      const found = known.get(artifact.identity);
      if (found === undefined) {
        throw failure("INVALID_ANSWER", `${name} announces ${artifact.url} no more`, {
          hint: "nothing has to be done: the next poll takes what it announces now",
        });
      }
      try {
        return await found.source.open(found.original, call);
      } catch (error) {
        const isGone = error instanceof ReleaseRegistryError && error.code === "NOT_FOUND";
        if (isGone) found.url = undefined;
        throw error;
      }
    },

    idOf: (identity) => known.get(identity)?.id,

    async close() {
      for (const { source } of known.values()) await source.close();
      known.clear();
    },
  };

  async function forgetOldest(): Promise<void> {
    const [oldest] = known;
    if (!oldest || known.size <= remembered) return;
    known.delete(oldest[0]);
    await oldest[1].source.close();
  }
}

/** What a server answers is no mistake in the command line. */
async function openedSource(
  { name, parts, rules, openArtifactUrl }: AnnouncedArtifactsOptions,
  url: string,
): Promise<ArtifactSource> {
  try {
    return await openArtifactUrl(url, parts, rules);
  } catch (cause) {
    if (!(cause instanceof ConfigError)) throw cause;
    const reason = cause.message.replace(/^--registry: /, "");
    // What is no URL has its user and password anywhere before the last @ that is no digest's.
    const shown = withoutSecrets(url).replace(/^.*@(?!sha\d+:)/is, "***@");
    const message = `${name} answered with ${shown}: ${reason}`;
    throw failure("INVALID_ANSWER", message, { cause, hint: cause.hint });
  }
}

/**
 * Without user information and query: that is where signed URLs carry their signature, which is a
 * secret, and another one at each poll although the file is the same.
 */
function withoutSecrets(url: string): string {
  return url.replace(/[?#].*$/s, "").replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/]*@/i, "$1");
}
