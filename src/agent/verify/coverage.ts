import { type Call, isEchoOf } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import type { Choice } from "../choose/choose.ts";
import type { ArtifactStore } from "../deploy/artifact-store.ts";
import { fetchArtifact } from "../deploy/fetch.ts";
import type { DeployedRelease, Ledger } from "../ledger/ledger.ts";
import type { ReleaseRegistry } from "../release.ts";
import type { Admission } from "./admission.ts";
import type { LocalFile } from "./verifier.ts";
import { VerifyError } from "./verify-error.ts";

export interface CoverageParts {
  admission: Admission;
  ledger: Ledger;
  registry: ReleaseRegistry;
  store: ArtifactStore;
  clock: Clock;
  logger: Logger;
}

/** Whether what is in service is what the policy of today would let in. */
export interface Coverage {
  /**
   * Notes it in the ledger, before anything is started: it is started in any case, as a host must not
   * lose its app by a change of its policy.
   */
  begin(): Promise<void>;
  /** Verifies it anew, once the registry offers it: `choice` is what the last poll has chosen. */
  check(choice: Choice | undefined, call: Call): Promise<void>;
}

export function openCoverage(parts: CoverageParts): Coverage {
  const { admission, ledger, logger } = parts;
  /** Of the release for which the answer is final. */
  let judged: string | undefined;

  return {
    async begin() {
      const { active } = ledger.state;
      if (active === undefined || admission.covers(active.evidence)) return note(undefined);
      const reason = "the policy has changed since it was deployed";
      logger.warn("The release in service is not covered by the policy", {
        tag: active.tag,
        reason,
      });
      await note({ ...active, reason });
    },

    async check(choice, call) {
      const { active } = ledger.state;
      if (!choice || !active || active.directory === judged) return;
      if (active.tag !== choice.tag || active.identity !== choice.artifact.identity) return;
      if (admission.covers(active.evidence)) return;
      try {
        await verifyAnew(active, choice, parts, call);
        logger.info("The release in service is covered by the policy", { tag: active.tag });
        await note(undefined);
      } catch (error) {
        if (isEchoOf(call.signal, error)) throw error;
        // A registry, a network or a disk may be well again by the next poll.
        const fields = { tag: active.tag, reason: messageOf(error) };
        if (!(error instanceof VerifyError) || error.code === "NOT_YET") {
          return logger.debug("The release in service could not be verified yet", fields);
        }
        judged = active.directory;
        const reason = messageOf(error);
        logger.error("The release in service is refused by the policy", { tag: active.tag, error });
        await note({ ...active, reason });
      }
    },
  };

  async function note(found: { directory: string; reason: string } | undefined): Promise<void> {
    const { directory, reason } = found ?? {};
    const before = ledger.state.uncovered;
    if (before?.directory === directory && before?.reason === reason) return;
    try {
      await ledger.update(({ uncovered: _, ...state }) => ({
        ...state,
        ...(found && { uncovered: { directory: found.directory, reason: found.reason } }),
      }));
    } catch (error) {
      logger.error("the ledger could not be written", { error });
    }
  }
}

/** From the store, where it is still there; its bytes have to be those that were unpacked. */
async function verifyAnew(
  active: DeployedRelease,
  choice: Choice,
  { admission, ledger, registry, store, clock, logger }: CoverageParts,
  call: Call,
): Promise<void> {
  let evidence: DeployedRelease["evidence"];
  const verify = async (file: LocalFile, each: Call) => {
    if (file.digest !== active.digest) {
      const message = `${choice.artifact.name} is ${active.digest} in service, and ${file.digest} in the registry`;
      throw new VerifyError("MISMATCH", message, { hint: "publish a new release" });
    }
    evidence = await admission.vouch(choice, file, each);
  };
  const { artifact } = choice;
  await fetchArtifact({ registry, artifact, store, clock, logger, verify }, call);
  await ledger.update((state) => {
    const proved = (release: DeployedRelease) =>
      release.directory === active.directory && evidence ? { ...release, evidence } : release;
    const { active: now } = state;
    return { ...state, ...(now && { active: proved(now) }), releases: state.releases.map(proved) };
  });
}
