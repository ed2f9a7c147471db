"""Small services that move jobs along: intake, submitter, poller, downloader, rescuer, and the runtime that joins them."""
