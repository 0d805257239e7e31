import type { Environment } from "../base/environment.ts";
import { Secret } from "../base/secret.ts";
import { withoutServiceManager } from "../base/systemd-notify.ts";

/** The variables that the agent takes its own credentials from. */
const secrets = [
  /^DEWY_/, // options: a URL of a notifier or a cache may hold a password
  /^(GITHUB|GH)_TOKEN$/,
  /^GITHUB_APP_/,
  /^DOCKER_(USERNAME|PASSWORD)$/,
  /^(AWS_ECR_PASSWORD|GCR_TOKEN)$/,
  /^AWS_(ACCESS_KEY_ID|SECRET_ACCESS_KEY|SESSION_TOKEN)$/,
  /^AWS_(WEB_IDENTITY_TOKEN_FILE|CONTAINER_AUTHORIZATION_TOKEN(_FILE)?)$/,
  /^GOOGLE_APPLICATION_CREDENTIALS$/,
  /^SLACK_TOKEN$/,
  /^MAIL_(USERNAME|PASSWORD|PASSWORD_FILE|FROM)$/,
  /^(REDIS_PASSWORD|CONSUL_HTTP_TOKEN)$/,
  /^OTEL_EXPORTER_OTLP_(METRICS_)?HEADERS$/,
];

/**
 * What the app and the hooks are started with: everything the agent has, or, scrubbed, everything
 * but its own secrets; and the name of the app as `DEWY_APP`.
 */
export function childEnvironment(
  environment: Environment,
  { app, scrub }: { app: string; scrub: boolean },
): Environment {
  const isKept = ([name]: [string, unknown]) =>
    !scrub || !secrets.some((pattern) => pattern.test(name));
  const kept = Object.entries(withoutServiceManager(environment)).filter(isKept);
  return { ...Object.fromEntries(kept), DEWY_APP: app };
}

/** Not the names, paths and numbers that belong to them; and what is short is found everywhere. */
const holdsSecret = /(TOKEN|PASSWORD|SECRET_ACCESS_KEY|PRIVATE_KEY|HEADERS)$/;
const shortestSecret = 8;

/** What the agent signs in with, for what children write and the agent passes on. */
export function secretsIn(environment: Environment): Secret[] {
  return Object.entries(environment).flatMap(([name, value = ""]) => {
    const isSecret = holdsSecret.test(name) && secrets.some((pattern) => pattern.test(name));
    return isSecret && value.length >= shortestSecret ? [new Secret(value)] : [];
  });
}
