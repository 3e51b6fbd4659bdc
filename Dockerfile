# mot_reid on a CPU: tracks, serves nothing, sends nothing. Build and run:
#   docker build -t mot_reid .
#   docker run --rm --network none --user "$(id -u):$(id -g)" -v "$PWD:/work" mot_reid track street.mp4 -o out
FROM python:3.11-slim

COPY . /src
# The twin of OpenCV without windows needs no libraries of a display, which this image lacks.
RUN pip install --no-cache-dir /src \
 && pip uninstall --yes opencv-python \
 && pip install --no-cache-dir opencv-python-headless \
 && rm -r /src \
 && mot-reid demo --quiet --output /tmp/demo \
 && rm -r /tmp/demo

# Any user: what is kept for later runs goes where everybody may write, and with the container.
ENV XDG_CACHE_HOME=/tmp/cache
WORKDIR /work
ENTRYPOINT ["mot-reid"]
CMD ["--help"]
