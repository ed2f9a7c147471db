"""The options of the command line in the words of `app`."""

from orchestrator.app import App, Options
from orchestrator.cli.options import ALL_OF_IT, AS_IT_IS, UNREACHED, Pace, Reach, Reading, Where
from orchestrator.store.loading import Changed


def app_of(where: Where, reading: Reading = AS_IT_IS, pace: Pace = ALL_OF_IT, reach: Reach = UNREACHED) -> App:
    """Return one use of the program; raise `BadInput` where its settings are wrong."""
    return App(
        Options(
            db=where.db,
            out=where.out,
            config=where.config,
            simulate=where.simulate,
            account=reading.account,
            model=reading.model,
            encoding=reading.encoding,
            trust_accounts=reading.trust_accounts,
            changed=Changed(reading.changed),
            concurrency=pace.concurrency,
            budget=pace.budget,
            limit=pace.limit,
            only=pace.only,
            public_url=reach.public_url,
            listen=reach.listen,
        )
    )
