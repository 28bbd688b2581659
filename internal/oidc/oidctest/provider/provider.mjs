// An OpenID Connect provider for tests. It prints {"issuer": …} when it is
// ready, and ends when its standard input does.
//
// Whoever comes is signed in without being asked, as the subject in login_hint;
// what follows there after a colon is told as serial_number. The hint "cancel"
// cancels.
import { createServer } from 'node:http';
import { createPrivateKey, generateKeyPairSync, randomUUID } from 'node:crypto';
import Provider from 'oidc-provider';

const options = JSON.parse(process.argv[2]);
const server = createServer();
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const address = `http://127.0.0.1:${server.address().port}`;

// By way of PEM: exporting the key object that was generated holds its lock,
// and Node 20 waits for ever for the same lock if garbage is collected just then.
const { privateKey: pem } = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  publicKeyEncoding: { type: 'spki', format: 'pem' }, privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
});
const privateKey = createPrivateKey(pem);
const codes = new Map();
const provider = new Provider(options.issuer || address, {
  clients: [{
    client_id: options.client_id, client_secret: options.client_secret,
    redirect_uris: options.redirect_uris, response_types: ['code'], grant_types: ['authorization_code'],
  }],
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256' }] },
  cookies: { keys: [randomUUID()] },
  claims: { openid: ['sub'], profile: ['serial_number'] },
  conformIdTokenClaims: !options.in_id_token,
  features: { devInteractions: { enabled: false } },
  pkce: { required: () => true },
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  findAccount: (_, sub) => ({
    accountId: sub,
    claims: () => ({ sub: codes.get(`userinfo of ${sub}`) || sub, serial_number: codes.get(sub) }),
  }),
  async loadExistingGrant(ctx) {
    const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
    grant.addOIDCScope('openid profile');
    await grant.save();
    return grant;
  },
  ttl: { AccessToken: 300, AuthorizationCode: 60, IdToken: 300, Interaction: 60, Session: 60, Grant: 300 },
});
const answer = provider.callback();
server.on('request', async (request, response) => {
  if (!request.url.startsWith('/interaction/')) {
    return answer(request, response);
  }
  const { params } = await provider.interactionDetails(request, response);
  const [subject, code] = (params.login_hint || 'nobody').split(':');
  if (subject === 'cancel') {
    return provider.interactionFinished(request, response, { error: 'access_denied' });
  }
  codes.set(subject, code);
  return provider.interactionFinished(request, response, { login: { accountId: subject } });
});
console.log(JSON.stringify({ issuer: address }));
process.stdin.on('end', () => process.exit(0)).resume();
