/** An attestation about a file as a signer makes it, but for certificate and signature. */
export const attestationOf = (filename: string, sha256: string) => ({
  version: 1,
  verification_material: {certificate: 'MII=', transparency_entries: [{}]},
  envelope: {
    statement: Buffer.from(
      JSON.stringify({
        _type: 'https://in-toto.io/Statement/v1',
        subject: [{name: filename, digest: {sha256}}],
      }),
    ).toString('base64'),
    signature: 'AA==',
  },
})
