import { type Metric, openGauge } from "../../base/instruments.ts";

export interface CertificateMetrics {
  /** A certificate, named by its file or host, is served from now on. */
  noted(certificate: string, validUntil: Date): void;
  read(): Metric[];
}

export function openCertificateMetrics(): CertificateMetrics {
  const ends = openGauge({
    ...{ name: "not_after", prometheus: "registry_tls_certificate_not_after_timestamp_seconds" },
    ...{ help: "When the certificate that is served expires", unit: "" },
  });
  return {
    noted: (certificate, validUntil) => ends.set({ certificate }, validUntil.getTime() / 1000),
    read: () => [ends.read()],
  };
}
