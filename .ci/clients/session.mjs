// A session of the official JavaScript client, unmodified, against simulated_exchange. Usage: session.mjs KEYS REST_URL
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';

const require = createRequire(process.cwd() + '/');
const { Spot } = require('@binance/spot');
const keys = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const restUrl = process.argv[3];
const socketUrl = restUrl.replace('http', 'ws');

const must = (condition, what) => {
  if (!condition) { console.error(`javascript: ${what}`); process.exit(1); }
  console.log(`javascript: ${what}: ok`);
};
const until = async (condition, what) => {
  for (let round = 0; round < 300 && !condition(); round += 1) await new Promise((done) => setTimeout(done, 100));
  must(condition(), what);
};

const rest = new Spot({ configurationRestAPI: {
  apiKey: keys.hmac.api_key, apiSecret: keys.hmac.secret, basePath: restUrl } }).restAPI;
const call = async (name, params) => (await rest[name](params)).data();

must((await call('exchangeInfo', { symbol: 'BTCUSDT' })).symbols[0].symbol === 'BTCUSDT', 'exchange info');
must((await call('getAccount', { omitZeroBalances: true })).balances.length > 0, 'account');
const book = await call('tickerBookTicker', { symbol: 'BTCUSDT' });
const low = Number((Number(book.bidPrice) * 0.9).toFixed(2));
const order = { symbol: 'BTCUSDT', side: 'BUY', type: 'LIMIT', timeInForce: 'GTC', price: low };
must((await call('newOrder', { ...order, quantity: 0.01, newClientOrderId: 'js-1' })).status === 'NEW', 'place');
must((await call('getOpenOrders', { symbol: 'BTCUSDT' })).length === 1, 'open orders');
const amended = (await call('orderAmendKeepPriority', { symbol: 'BTCUSDT', newQty: 0.005, origClientOrderId: 'js-1',
  newClientOrderId: 'js-1' })).amendedOrder;
must(amended.clientOrderId === 'js-1' && Number(amended.qty) === 0.005, 'amend');
const replaced = await call('orderCancelReplace', { ...order, quantity: 0.02, cancelReplaceMode: 'STOP_ON_FAILURE',
  cancelOrigClientOrderId: 'js-1', newClientOrderId: 'js-2' });
must(replaced.newOrderResult === 'SUCCESS', 'cancel-replace');
must((await call('deleteOrder', { symbol: 'BTCUSDT', origClientOrderId: 'js-2' })).status === 'CANCELED', 'cancel');
let partial;
for (let round = 0; round < 50 && partial?.status !== 'PARTIALLY_FILLED'; round += 1) { // the market moves meanwhile
  if (partial?.status === 'NEW') await call('deleteOrder', { symbol: 'BTCUSDT', orderId: partial.orderId });
  const now = await call('tickerBookTicker', { symbol: 'BTCUSDT' });
  partial = await call('newOrder', { ...order, quantity: 10, price: Number(now.askPrice) });
}
must(partial.status === 'PARTIALLY_FILLED', 'partial fill');
await call('deleteOpenOrders', { symbol: 'BTCUSDT' });
const failed = await call('deleteOrder', { symbol: 'BTCUSDT', orderId: 987654321 }).catch((error) => error);
must(failed instanceof Error && String(failed.message).includes('Unknown order sent'), `error (${failed.name})`);

const client = new Spot({
  configurationWebsocketAPI: { apiKey: keys.ed25519.api_key, privateKey: keys.ed25519.private_key,
    wsURL: `${socketUrl}/ws-api/v3` },
  configurationWebsocketStreams: { wsURL: socketUrl } });
const connection = await client.websocketAPI.connect();
await connection.sessionLogon({});
const events = [];
const subscribed = await connection.userDataStreamSubscribe({});
subscribed.stream.on('message', (event) => events.push(event));
const eth = (await connection.tickerBook({ symbol: 'ETHUSDT' })).data;
const placed = (await connection.orderPlace({ symbol: 'ETHUSDT', side: 'BUY', type: 'LIMIT', timeInForce: 'GTC',
  quantity: 0.1, price: Number((Number((eth.result ?? eth).bidPrice) * 0.9).toFixed(2)) })).data;
must((placed.result ?? placed).status === 'NEW', 'socket: place');
const cancelled = (await connection.orderCancel({ symbol: 'ETHUSDT', orderId: (placed.result ?? placed).orderId })).data;
must((cancelled.result ?? cancelled).status === 'CANCELED', 'socket: cancel');
await until(() => events.some((event) => JSON.stringify(event, (_, v) => (typeof v === 'bigint' ? String(v) : v)).includes('CANCELED')), 'socket: user data');
await connection.disconnect();

const streams = await client.websocketStreams.connect();
const ticks = [];
streams.bookTicker({ symbol: 'btcusdt' }).on('message', (tick) => ticks.push(tick));
await until(() => ticks.length > 0, 'streams: bookTicker');
await streams.disconnect();
process.exit(0);
