import type { Notice } from "../notifier.ts";

/** Who sees the mail was sent by which agent. */
export interface MailFooter {
  user: string;
  directory: string;
}

export interface MailText {
  subject: string;
  text: string;
}

/** In the form of the original, with the app's name in it as there may be several on a host. */
export function mailText(
  notice: Notice,
  subject: string,
  { user, directory }: MailFooter,
): MailText {
  const { text, identity, hook, at } = notice;
  const duration = hook ? [`Duration: ${(hook.durationMs / 1000).toFixed(1)}s`, ""] : [];
  const lines = [
    text,
    "",
    ...duration,
    `Host: ${identity.host}`,
    `App: ${identity.app}`,
    `User: ${user}`,
    `Working dir: ${directory}`,
    `Time: ${at.toISOString()}`,
    "",
    "--",
    "Dewy: https://github.com/linyows/dewy",
    "",
  ];
  return { subject: subjectOf(notice, subject), text: lines.join("\n") };
}

function subjectOf({ hook }: Notice, subject: string): string {
  if (hook === undefined) return subject;
  return `Dewy ${hook.title} Hook ${hook.succeeded ? "SUCCESS" : "FAILED"}`;
}
