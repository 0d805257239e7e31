import type { Call } from "../../base/call.ts";
import { isEchoOf } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import type { Choice, ChoiceRules } from "../choose/choose.ts";
import type { Observe } from "../event.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { ReleaseRegistry } from "../release.ts";
import type { Verification } from "./index.ts";
import { olderSignature, olderVersion } from "./replay.ts";
import { siblingsOf } from "./siblings.ts";
import { type Evidence, type LocalFile, sentenceOf } from "./verifier.ts";
import { VerifyError } from "./verify-error.ts";

/** Which releases one host lets in: by its policy, and by what it has seen before. */
export interface Admission {
  /** Why it need not even be fetched. */
  refusal(choice: Choice): VerifyError | undefined;
  /**
   * What vouches for `file`, the chosen artifact.
   *
   * @throws {VerifyError} naming what was expected and what was found
   */
  vouch(choice: Choice, file: LocalFile, call: Call): Promise<Evidence | undefined>;
  /** See {@link Verification}. */
  covers: Verification["covers"];
}

export interface AdmissionParts {
  verification: Verification;
  registry: ReleaseRegistry;
  rules: ChoiceRules;
  ledger: Ledger;
  clock: Clock;
  logger: Logger;
  observe: Observe;
}

export function openAdmission(parts: AdmissionParts): Admission {
  const { verification, registry, ledger, clock, rules, logger, observe } = parts;
  const replayParts = () => ({
    ...{ registry: registry.name, state: ledger.state, rules, now: clock.now() },
    maximumAgeMs: verification.maximumAgeMs,
  });

  return {
    covers: verification.covers,

    refusal(choice) {
      if (verification.policy !== "signature") return undefined;
      const refused = olderVersion(choice, replayParts());
      if (refused) tell(choice, refused);
      return refused;
    },

    async vouch(choice, file, call) {
      try {
        const evidence = await checked(choice, file, call);
        if (evidence) observe({ type: "verified", tag: choice.tag, outcome: "passed" });
        if (evidence) {
          logger.info("Artifact verified", { tag: choice.tag, by: sentenceOf(evidence) });
        }
        return evidence;
      } catch (error) {
        if (!isEchoOf(call.signal, error) && error instanceof VerifyError) tell(choice, error);
        throw error;
      }
    },
  };

  async function checked(choice: Choice, file: LocalFile, call: Call) {
    const { release, artifact } = choice;
    // Not every registry tells the digest, and what is attested is found by it.
    const known = { ...artifact, digest: artifact.digest ?? file.digest };
    const siblings = siblingsOf(registry, release, known);
    const subject = { registry: registry.name, release, artifact, file, siblings };
    const evidence = await verification.verify(subject, call);
    const older =
      evidence && verification.policy === "signature"
        ? olderSignature(choice, evidence, replayParts())
        : undefined;
    if (older) throw older;
    return evidence;
  }

  function tell({ tag }: Choice, { code }: VerifyError): void {
    const outcome = code.toLowerCase() as Lowercase<VerifyError["code"]>;
    observe({ type: "verified", tag, outcome });
  }
}
